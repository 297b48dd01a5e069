import { GitStateError } from '../errors.ts';
import type { Checkpoint, Feature } from './entities.ts';
import { compareNatural } from './ids.ts';
import {
  type Contents,
  contentsOf,
  findFeature,
  requireCheckpoint,
  requireFeature,
  type State,
} from './state.ts';

/** People may shorten an id where nothing is written by it. */

/** Most names that a refusal lists. */
const listedMax = 20;

/** The id that is meant by `text`: the one that it is, else the only one that begins with it; `text` itself where none
 *  does. @throws INVALID_INPUT that lists them where several do. */
export function wholeId(ids: Iterable<string>, text: string, what: string): string {
  const matches: string[] = [];
  for (const id of ids) {
    if (id === text) return id;
    if (id.startsWith(text)) matches.push(id);
  }
  if (text === '' || matches.length === 0) return text;
  if (matches.length === 1) return matches[0]!;
  matches.sort(compareNatural);
  const names = matches.slice(0, listedMax).map((id) => `'${id}'`);
  const more = matches.length > listedMax ? ` and ${matches.length - listedMax} more` : '';
  throw new GitStateError(
    'INVALID_INPUT',
    `'${text}' is short for several ${what}s: ${names.join(', ')}${more}`,
    {
      hint: 'give more of it',
      details: { matches },
    },
  );
}

/** @throws FEATURE_NOT_FOUND, INVALID_INPUT */
export function featureByPrefix(state: State, session: string, text: string): Feature {
  const whole = findFeature(state, session, text);
  if (whole) return whole;
  const ids = [...contentsOf(state, session).features.values()].map(({ id }) => id);
  return requireFeature(state, session, wholeId(ids, text, 'feature'));
}

/** @throws CHECKPOINT_NOT_FOUND, INVALID_INPUT */
export function checkpointByPrefix(state: State, session: string, text: string): Checkpoint {
  const names = [...contentsOf(state, session).checkpoints.values()].map(({ name }) => name);
  return requireCheckpoint(state, session, wholeId(names, text, 'checkpoint'));
}

/** The whole id of a session; `text` itself where there is none like it. @throws INVALID_INPUT */
export function sessionByPrefix({ sessions }: State, text: string): string {
  return wholeId(
    [...sessions.values()].map(({ id }) => id),
    text,
    'session',
  );
}

/** The whole name of a worker; `text` itself where none is like it. @throws INVALID_INPUT */
export function workerByPrefix({ workers }: Contents, text: string): string {
  return wholeId(
    [...workers.values()].map(({ id }) => id),
    text,
    'worker',
  );
}
