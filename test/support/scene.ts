import { type PlacedEntity, placeOf } from '../../src/codec/paths.ts';
import { changedFiles, parseFile } from '../../src/codec/tree.ts';
import { apply } from '../../src/core/apply.ts';
import type { Checkpoint, Feature, Session } from '../../src/core/entities.ts';
import { Operation, type OperationType } from '../../src/core/operation.ts';
import { type Contents, emptyContents, emptyState, type State } from '../../src/core/state.ts';
import type { Table } from '../../src/core/table.ts';
import { instantOf, leaseEndOf } from '../../src/core/time.ts';
import { GitStateError } from '../../src/errors.ts';

/** A short history played through `apply`, without Git: each operation comes one minute after the one before. */

const startMs = Date.parse('2026-03-01T10:00:00Z');

export function at(minute: number) {
  return instantOf(startMs + minute * 60_000);
}

export function leaseEnd(minute: number) {
  return leaseEndOf(startMs + minute * 60_000);
}

/** An object id, a claim's id: `digit` repeated. */
export const oid = (digit: string | number) => String(digit).repeat(40).slice(0, 40);
export const claimId = (number: number) => number.toString(16).padStart(64, '0');

const holder = { host: 'host', boot: null, pidns: null, pid: null, started: null };

/** Arguments of `feature.claim`; `number` tells one claim from the next. */
export function claiming(feature: string, worker: string, number = 1, more: object = {}) {
  return { feature, worker, claim: claimId(number), lease_end: leaseEnd(15), holder, ...more };
}

/** The evidence of a takeover of claim `number` of `worker`. */
export function takingOver(worker: string, number: number, reason = 'expired') {
  const judged = { lease: null, lease_end: leaseEnd(15), now: leaseEnd(20) };
  return { takeover: { reason, worker, claim: claimId(number), ...judged } };
}

const rules = {
  preset: null,
  name: 'the session',
  config: {},
  steps: [],
  budgets: { steps: {}, feature: null, day: null },
  max_retries: 3,
  default_lease: '15m',
  auto_checkpoints: false,
  quality_min: {},
};

/** Arguments of `session.start`. */
export const sessionRules = (change: object = {}) => ({ ...rules, ...change });

export interface Refusal {
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
}

export class Scene {
  state: State = emptyState;
  minute = 0;
  /** Every operation that was accepted. */
  readonly history: Operation[] = [];
  readonly #marks = new Map<string, State>();

  /** A store with the active session `s`. */
  static started(change: object = {}): Scene {
    const scene = new Scene();
    scene.do('store.init', { store: 'lineage1', preset: null, readme: oid('a') }, null);
    scene.do('session.start', sessionRules(change));
    return scene;
  }

  /** The same scene once more, to go on differently from here. */
  fork(): Scene {
    const copy = new Scene();
    copy.state = this.state;
    copy.minute = this.minute;
    copy.history.push(...this.history);
    for (const [commit, state] of this.#marks) copy.#marks.set(commit, state);
    return copy;
  }

  operation(type: OperationType, args: object, session: string | null = 's'): Operation {
    const id = `op-${this.minute}-${this.history.length}`;
    return Operation.parse({ type, session, actor: 'someone', at: at(this.minute), id, request: null, args });
  }

  /** Applies an operation to a state that nobody may write to. */
  apply(operation: Operation): State {
    freeze(this.state);
    const stateAt = (commit: string) => {
      const state = this.#marks.get(commit);
      if (!state) throw new TypeError(`no mark '${commit}'`);
      return state;
    };
    return apply(this.state, operation, { stateAt });
  }

  do(type: OperationType, args: object, session: string | null = 's'): this {
    this.minute += 1;
    const operation = this.operation(type, args, session);
    this.state = this.apply(operation);
    this.history.push(operation);
    return this;
  }

  /** What an operation is refused with; the scene stays as it is. */
  refusal(type: OperationType, args: object, session: string | null = 's'): Refusal {
    try {
      this.apply(this.operation(type, args, session));
    } catch (error) {
      if (!(error instanceof GitStateError)) throw error;
      return error;
    }
    throw new Error(`${type} was accepted`);
  }

  /** Remembers the state as that of a commit; restoring needs it. */
  mark(digit: string): { commit: string; tree: string; point: string } {
    this.#marks.set(oid(digit), this.state);
    return { commit: oid(digit), tree: oid(digit), point: `point ${digit}` };
  }

  /** As `mark`, for any state and a whole object id. */
  remember(commit: string, state: State): void {
    this.#marks.set(commit, state);
  }

  session(id = 's'): Session {
    return this.state.sessions.get(id)!;
  }

  contents(id = 's'): Contents {
    return this.state.contents.get(id)!;
  }

  feature(id: string): Feature {
    return this.contents().features.get(id.toLowerCase())!;
  }

  checkpoint(name: string): Checkpoint {
    return this.contents().checkpoints.get(name.toLowerCase())!;
  }

  /** The statuses of a feature's steps, in order. */
  steps(feature: string): string {
    return this.feature(feature)
      .steps.map(({ name, status }) => `${name}:${status}`)
      .join(' ');
  }
}

const frozen = new WeakSet<object>();

/** Makes every entity of a state read-only; writing to one throws. */
export function freeze(state: State): void {
  freezeValue(state.store);
  for (const session of state.sessions.values()) freezeValue(session);
  for (const contents of state.contents.values()) {
    if (frozen.has(contents)) continue;
    for (const table of Object.values(contents) as Table<unknown>[]) {
      for (const entity of table.values()) freezeValue(entity);
    }
    frozen.add(Object.freeze(contents));
  }
  Object.freeze(state);
}

function freezeValue(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeValue(inner);
}

/** The files of a state, by path. */
export function filesOf(state: State, before: State = emptyState): Map<string, string> {
  const rows = changedFiles(before, state).map((change): [string, string] => {
    if ('gone' in change) return [change.path, '(gone)'];
    return [change.path, 'text' in change ? change.text : `(blob ${change.oid})`];
  });
  return new Map(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The state that stands in files, read back one by one. */
export function stateOf(files: ReadonlyMap<string, string>): State {
  let state = emptyState;
  for (const [path, text] of files) state = withFile(state, placeOf(path)!, path, text);
  return state;
}

const tables = { feature: 'features', worker: 'workers', checkpoint: 'checkpoints', cost: 'costs' } as const;

function withFile(state: State, place: PlacedEntity, path: string, text: string): State {
  const blob = /^\(blob (.*)\)$/.exec(text)?.[1];
  if (place.kind === 'readme') return { ...state, readme: blob! };
  if (place.kind === 'artifact') {
    return withRow(state, place.session, 'artifacts', place.path, { path: place.path, oid: blob });
  }
  const { key, value } = parseFile(place, path, text);
  switch (place.kind) {
    case 'store':
      return { ...state, store: value as State['store'] };
    case 'preset':
      return { ...state, presets: state.presets.with(key, value as never) };
    case 'session':
      return { ...state, sessions: state.sessions.with(key, value as never) };
    case 'feature':
    case 'worker':
    case 'checkpoint':
    case 'cost':
      return withRow(state, place.session, tables[place.kind], key, value);
    default:
      throw new TypeError(`'${path}' holds nothing`);
  }
}

function withRow(state: State, session: string, table: keyof Contents, key: string, value: unknown): State {
  const contents = state.contents.get(session.toLowerCase()) ?? emptyContents;
  const rows = (contents[table] as Table<unknown>).with(key, value);
  return { ...state, contents: state.contents.with(session.toLowerCase(), { ...contents, [table]: rows }) };
}
