export { lengthOfTime } from '../../core/time.ts';

const day = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const two = (value: number) => String(value).padStart(2, '0');

/** A moment in local time: the hour alone where it is today. */
export function clockTime(time: string, nowMs: number): string {
  const date = new Date(time);
  const hour = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return day(date) === day(new Date(nowMs)) ? hour : `${day(date)} ${hour}`;
}

/** A moment in local time with its date. */
export function localTime(time: string): string {
  const date = new Date(time);
  return `${day(date)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A length of time no more exactly than an estimate can be: `40s`, `5m`, `2h 30m`. */
export function roughTime(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 55) return `${Math.max(1, Math.ceil(seconds / 10)) * 10}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  return `${Math.floor(minutes / 60)}h ${Math.floor((minutes % 60) / 10) * 10}m`;
}

export function shortOid(oid: string): string {
  return oid.slice(0, 9);
}

/** `1 feature`, `2 features`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
