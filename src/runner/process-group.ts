import { readdirSync, readFileSync } from 'node:fs';
import { kill, pid as ownPid } from 'node:process';
import type { Env } from '../env.ts';

/** Processes are ended by group: a command and all that it started, unless they left the group on purpose. */

const pollMs = 25;
/** SIGKILL needs no grace; only a process stuck in the kernel outlives it. */
const killedWaitMs = 3000;

/** Sends a signal to a group. @returns false where there is no such group. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  // -1 would mean every process, and 0 our own group.
  if (!Number.isSafeInteger(group) || group <= 1) return false;
  try {
    kill(-group, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether a group has a process that runs. Those that have ended and were not collected by their parent do not. */
export function isGroupAlive(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  const members = processes();
  return members.length === 0 || members.some((one) => one.group === group);
}

/** Ends a process group: SIGTERM, and after the grace SIGKILL. @returns whether it is gone. */
export async function endGroup(
  group: number,
  { env, graceMs }: { env: Env; graceMs: number },
): Promise<boolean> {
  if (!signalGroup(group, 'SIGTERM')) return true;
  // One that is stopped takes the signal only after it continues.
  signalGroup(group, 'SIGCONT');
  if (await isGoneWithin(group, graceMs, env)) return true;
  signalGroup(group, 'SIGKILL');
  return isGoneWithin(group, killedWaitMs, env);
}

async function isGoneWithin(group: number, limitMs: number, env: Env): Promise<boolean> {
  for (let waitedMs = 0; isGroupAlive(group); waitedMs += pollMs) {
    if (waitedMs >= limitMs) return false;
    await env.sleep(pollMs);
  }
  return true;
}

/** Groups of the processes whose environment has a `variable` that `isWanted`; never our own. Linux: elsewhere none. */
export function groupsWith(variable: string, isWanted: (value: string) => boolean): number[] {
  const all = processes();
  const own = all.find(({ pid }) => pid === ownPid)?.group;
  const wanted = all.filter(
    ({ pid, group }) => group > 1 && group !== own && variablesOf(pid, variable).some(isWanted),
  );
  return [...new Set(wanted.map(({ group }) => group))];
}

interface Process {
  pid: number;
  group: number;
}

/** Every process that runs, from /proc; none where there is no /proc. */
function processes(): Process[] {
  const found: Process[] = [];
  for (const name of readOr([], () => readdirSync('/proc'))) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readOr('', () => readFileSync(`/proc/${name}/stat`, 'latin1'));
    // The command name stands in parentheses and may hold anything.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state && state !== 'Z' && state !== 'X') found.push({ pid: Number(name), group: Number(group) });
  }
  return found;
}

function variablesOf(pid: number, variable: string): string[] {
  const environment = readOr('', () => readFileSync(`/proc/${pid}/environ`, 'latin1'));
  const prefix = `${variable}=`;
  return environment
    .split('\0')
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}

function readOr<T>(fallback: T, read: () => T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}
