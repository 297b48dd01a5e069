import { instantOf } from '../core/time.ts';

/** Names our own clock and the one that made the newest commit of the state or of a lease. */
export function clocksDiffer(nowMs: number, newestMs: number): string {
  return `the clock here says ${instantOf(nowMs)}, that of the newest commit ${instantOf(newestMs)}`;
}
