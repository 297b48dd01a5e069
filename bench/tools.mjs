import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs to compare with are used where they are installed; a table says what it had to leave out. */

/** @returns the path of a program on PATH, or among the servers that Debian keeps off the PATH of users; null without it. */
export function programOf(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** @param found by the name of a package, whether it is there. @returns a note on those that are not; none for none. */
export function notesOnMissing(found) {
  const missing = Object.keys(found).filter((name) => !found[name]);
  return missing.length === 0 ? [] : [`not installed, so left out: ${missing.join(', ')}`];
}

/** A word for a shell. */
export function quoted(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
