import { parseDuration, parseInstant } from '../core/time.ts';

/** Dates as people and Git write them. Git's own reading never fails, so it is not asked: `--since tomato` has to be an
 *  error. */

const unitsMs: Record<string, number> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 30 * 86_400_000,
  year: 365 * 86_400_000,
};

/** Milliseconds since 1970 of a date in any format that Git prints (`--date=` iso, iso-strict, rfc, default, short, raw,
 *  unix, relative), of an age (`2h`), or of `yesterday` and `now`; null for anything else. A date without a zone is UTC,
 *  and a second lasts until its end. */
export function parseMoment(text: string, nowMs: number): number | null {
  const word = text.trim();
  if (word === 'now') return nowMs;
  if (word === 'yesterday') return nowMs - 86_400_000;
  const age = parseDuration(word) ?? agoMs(word);
  if (age !== null) return nowMs - age;
  const instant = parseInstant(word);
  if (instant !== null) return Date.parse(instant) + 999;
  const seconds = /^@?(\d{9,11})(?: [+-]\d{4})?$/.exec(word)?.[1];
  if (seconds !== undefined) return Number(seconds) * 1000 + 999;
  if (/^\d{4}-\d\d-\d\d$/.test(word)) return partsMs(word, '00:00:00', 'Z', 0);
  const iso = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?) ?(Z|[+-]\d\d:?\d\d)?$/.exec(word);
  if (iso) return partsMs(iso[1]!, iso[2]!, iso[3]);
  const rfc2822 =
    /^(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d(?::\d\d)?) ([+-]\d{4}|GMT|UTC)$/.exec(
      word,
    );
  if (rfc2822) return namedMs(rfc2822[3]!, rfc2822[2]!, rfc2822[1]!, rfc2822[4]!, rfc2822[5]);
  const own =
    /^(?:[A-Z][a-z]{2} )([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})(?: ([+-]\d{4}))?$/.exec(word);
  return own ? namedMs(own[4]!, own[1]!, own[2]!, own[3]!, own[5]) : null;
}

/** `2 hours ago`, `1.day.ago`, `1 year, 2 months ago`. */
function agoMs(word: string): number | null {
  const list = /^(.+)[ .]ago$/.exec(word)?.[1];
  if (list === undefined) return null;
  let sum = 0;
  for (const part of list.split(/, /)) {
    const one = /^(\d{1,6})[ .](second|minute|hour|day|week|month|year)s?$/.exec(part);
    if (!one) return null;
    sum += Number(one[1]) * unitsMs[one[2]!]!;
  }
  return sum;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function namedMs(
  year: string,
  month: string,
  day: string,
  time: string,
  zone: string | undefined,
): number | null {
  const index = months.indexOf(month);
  if (index < 0) return null;
  const number = String(index + 1).padStart(2, '0');
  return partsMs(`${year}-${number}-${day.padStart(2, '0')}`, time, zone);
}

function partsMs(date: string, time: string, zone = 'Z', restMs = 999): number | null {
  const offset = /^[+-]\d{4}$/.test(zone)
    ? `${zone.slice(0, 3)}:${zone.slice(3)}`
    : zone.replace(/^(GMT|UTC)$/, 'Z');
  const timeMs = Date.parse(`${date}T${time}${offset}`);
  // JavaScript takes 31 February for a day of March.
  const isReal =
    !Number.isNaN(Date.parse(`${date}T00:00:00Z`)) &&
    new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
  return Number.isNaN(timeMs) || !isReal ? null : timeMs + restMs;
}
