import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { featureOf } from './repository.mjs';
import { programOf } from './tools.mjs';

/** The same features in a table of SQLite, with a log ahead of writes. No history: only the newest state is kept. */

const program = programOf('sqlite3');
export const hasSqlite = program !== null;

/** Flushed at each commit, or only at checkpoints of the log, which a killed process survives and a power cut not. */
const synchronous = (durable) => (durable ? 'FULL' : 'NORMAL');
const waitMs = 120_000;

/** @returns the arguments of `sqlite3` for one command from a shell. */
export function sqliteCommand(file, { durable }) {
  const settings = ['-cmd', `.timeout ${waitMs}`, '-cmd', `PRAGMA synchronous=${synchronous(durable)}`];
  return [program, ...settings, file];
}

/** Makes a database with `features` pending features. */
export function makeDatabase(file, { features }) {
  const rows = Array.from({ length: features }, (_, index) => {
    const { id, name, priority, phase, data } = featureOf(index);
    return `('${id}', '${name}', 'pending', '${priority}', ${phase}, NULL, NULL, '${JSON.stringify(data)}')`;
  });
  const sql = `PRAGMA journal_mode=WAL;
    CREATE TABLE features (id TEXT PRIMARY KEY, name TEXT, status TEXT, priority TEXT, phase INTEGER, worker TEXT,
      lease_end INTEGER, data TEXT);
    CREATE INDEX ready ON features (status, priority, phase, id);
    BEGIN; INSERT INTO features VALUES ${rows.join(',\n')}; COMMIT;`;
  execFileSync(program, [file], { input: sql });
}

/** The next ready feature, for one worker alone. */
export function claimSql(worker) {
  const next =
    "SELECT id FROM features WHERE status = 'pending' ORDER BY status, priority, phase, id LIMIT 1";
  const set = `status = 'in_progress', worker = '${worker}', lease_end = ${Date.now() + 900_000}`;
  return `BEGIN IMMEDIATE; UPDATE features SET ${set} WHERE id = (${next}) RETURNING id; COMMIT;`;
}

export function updateSql(id, data) {
  const set = `data = json_patch(data, '${JSON.stringify(data)}')`;
  return `BEGIN IMMEDIATE; UPDATE features SET ${set} WHERE id = '${id}' RETURNING id; COMMIT;`;
}

/** A `sqlite3` that stays, and is told what to do line by line. */
export class Sqlite {
  #child;
  #output = '';
  #errors = '';
  #onLine = () => {};

  constructor(file, { durable }) {
    const [command, ...args] = sqliteCommand(file, { durable });
    this.#child = spawn(command, args);
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    this.#child.stdout.on('data', (chunk) => {
      this.#output += chunk;
      if (this.#output.endsWith('done\n')) this.#onLine();
    });
  }

  claim(worker) {
    return this.#row(claimSql(worker));
  }

  update(id, data) {
    return this.#row(updateSql(id, data));
  }

  /** The whole answer, as text. */
  async ask(sql) {
    this.#output = '';
    await new Promise((resolve) => {
      this.#onLine = resolve;
      this.#child.stdin.write(`${sql.replaceAll('\n', ' ')};\n.print done\n`);
    });
    if (this.#errors) throw new Error(this.#errors);
    return this.#output.slice(0, -'done\n'.length).trim();
  }

  async close() {
    this.#child.stdin.end();
    await once(this.#child, 'close');
  }

  async #row(sql) {
    const row = await this.ask(sql);
    if (row === '') throw new Error('no row was changed');
    return row;
  }
}
