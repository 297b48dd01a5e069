import { type Dirent, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Logs of attempts are kept for two weeks, and those of a feature's last ten attempts. */
export const logAgeMsMax = 14 * 24 * 3_600_000;
export const attemptsKept = 10;

/** Removes old logs of every session below `folder`, `<session>/<feature>/<attempt>...`. Whatever cannot be read or
 *  removed stays. */
export function pruneLogs(folder: string, nowMs: number): void {
  for (const session of foldersIn(folder)) {
    for (const feature of foldersIn(session)) {
      pruneFeature(feature, nowMs);
      removeIfEmpty(feature);
    }
    removeIfEmpty(session);
  }
}

function pruneFeature(folder: string, nowMs: number): void {
  const files = entriesOf(folder).filter((entry) => entry.isFile());
  const attempts = new Set(files.map(({ name }) => attemptOf(name)));
  const kept = new Set([...attempts].sort((a, b) => b - a).slice(0, attemptsKept));
  for (const { name } of files) {
    const path = join(folder, name);
    const ageMs = nowMs - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? nowMs);
    if (!kept.has(attemptOf(name)) || ageMs > logAgeMsMax) quietly(() => rmSync(path, { force: true }));
  }
}

/** `3.log`, `3-plan.log`, `3.setup.log`, `3.summary`: the third attempt. */
function attemptOf(name: string): number {
  return Number.parseInt(name, 10) || 0;
}

function foldersIn(folder: string): string[] {
  return entriesOf(folder)
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function removeIfEmpty(folder: string): void {
  quietly(() => rmdirSync(folder));
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // It is tidying up, no more.
  }
}
