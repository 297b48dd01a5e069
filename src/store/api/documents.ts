import type { Operation } from '../../core/operation.ts';
import type { ImportedSession } from '../../core/operations/store-import.ts';
import type { State } from '../../core/state.ts';
import { operationOf } from '../commits.ts';
import { walk } from '../history.ts';
import { importSessions, mergeSessions } from '../proposals/documents.ts';
import { type Context, pastSnapshot, submit, writtenOf } from './context.ts';

/** One entry of the log that documents carry. */
export interface DocumentLogLine {
  timestamp: string;
  level: 'info' | 'warn' | 'error';
  message: string;
}

/** What the documents of other state managers are made of, and how they come in. */
export function documentMethods(context: Context) {
  const { engine, transactor } = context;
  return {
    /** The whole state, now or at an earlier point; null before `init`. */
    async state(options: { at?: string } = {}): Promise<{ state: State; commit: string } | null> {
      const { state, commit } = (await pastSnapshot(context, options)) ?? (await transactor.read('all'));
      return commit === null ? null : { state, commit };
    },

    /** Puts sessions of a document in place. With `base`, the commit it was made of, sessions that are there already
     *  take the changes. @throws ALREADY_EXISTS, CONFLICT */
    async importSessions(options: {
      format: string;
      sessions: ImportedSession[];
      base?: string;
      /** Sessions that go; only with `base`. */
      removed?: string[];
      opId?: string;
      dryRun?: boolean;
    }) {
      const { opId, dryRun, ...request } = options;
      if (dryRun) {
        if (options.base === undefined) await transactor.preview(importSessions, request);
        else await transactor.preview(mergeSessions, request);
        return { commit: null, changed: false, durability: 'local' as const };
      }
      if (options.base === undefined)
        return writtenOf(await submit(context, importSessions, { ...request, opId }));
      return writtenOf(await submit(context, mergeSessions, { ...request, opId }));
    },

    /** The log of a session as documents have it, oldest first: entries that were imported, then one per note, claim,
     *  release, completion, failure, retry, recovery, restore and stop by a budget.
     *  @param from the commit of the newest entry; the tip by default. */
    async documentLog(session: string, from?: string): Promise<DocumentLogLine[]> {
      const tip = from ?? (await transactor.tip());
      const lines: DocumentLogLine[] = [];
      if (tip === null) return lines;
      for await (const commit of walk({ reader: engine.reader, repository: engine.repository }, tip)) {
        const operation = await operationOf(engine.reader, commit, engine.schema);
        if (operation) lines.push(...linesOf(operation, session).reverse());
      }
      return lines.reverse();
    },
  };
}

function linesOf(operation: Operation, session: string): DocumentLogLine[] {
  if (operation.type === 'store.import') {
    const own = operation.args.sessions.filter(
      (imported) => imported.session.id === session && !imported.merge,
    );
    return own.flatMap(({ logs }) => logs as unknown as DocumentLogLine[]);
  }
  if (operation.session !== session) return [];
  const line = lineOf(operation);
  return line ? [{ timestamp: operation.at, ...line }] : [];
}

function lineOf(operation: Operation): Omit<DocumentLogLine, 'timestamp'> | null {
  const info = (message: string) => ({ level: 'info' as const, message });
  switch (operation.type) {
    case 'note.add':
      return { level: operation.args.level, message: operation.args.message };
    case 'feature.claim': {
      const { worker, feature, takeover } = operation.args;
      if (!takeover) return info(`Worker ${worker} started Feature ${feature}`);
      return {
        level: 'warn',
        message: `Worker ${worker} took Feature ${feature} over from ${takeover.worker}`,
      };
    }
    case 'feature.release':
      return info(`${by(operation)} released Feature ${operation.args.feature}`);
    case 'feature.complete':
      return info(`${by(operation)} completed Feature ${operation.args.feature}`);
    case 'feature.fail':
      return { level: 'error', message: `Feature ${operation.args.feature} failed: ${operation.args.error}` };
    case 'cost.add':
    case 'cost.set':
      if (!operation.args.stop) return null;
      return { level: 'warn', message: `Budget used up by Feature ${operation.args.feature}` };
    case 'feature.retry':
      return info(`Feature ${operation.args.feature} is tried again`);
    case 'session.recover':
      return info(`Session ${operation.session} recovered`);
    case 'state.restore':
      return info(`Session ${operation.session} restored to ${operation.args.point}`);
    default:
      return null;
  }
}

function by({ args, actor }: Operation): string {
  const { worker } = args as { worker?: string };
  return worker === undefined ? actor : `Worker ${worker}`;
}
