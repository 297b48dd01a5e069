import type { State } from '../../core/state.ts';
import { differenceOfStates, type StateDifference, withStateDifference } from '../state-difference.ts';

/** Differences between processes, of which each has loaded the contents of other sessions. */

/** Whether all contents of a session are known where `state` is: they are loaded, or there is no such session yet. */
function knows(state: State, session: string): boolean {
  return state.contents.has(session) || !state.sessions.has(session);
}

/** The difference; null where contents were loaded in between, which says nothing of what changed. */
export function deltaOf(before: State, after: State): StateDifference | null {
  const delta = differenceOfStates(before, after);
  return delta?.contents.every(([session]) => knows(before, session)) ? delta : null;
}

/** The later state. Contents of sessions that are not loaded in `state` stay so. */
export function withDelta(state: State, delta: StateDifference): State {
  const contents = delta.contents.filter(([session]) => knows(state, session));
  return withStateDifference(state, { ...delta, contents });
}
