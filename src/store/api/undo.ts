import {
  artifactPath,
  checkpointPath,
  costPath,
  featurePath,
  presetPath,
  sessionPath,
  storePath,
  workerPath,
} from '../../codec/paths.ts';
import { type Change, diffFollowing } from '../../core/diff.ts';
import type { Operation } from '../../core/operation.ts';
import { GitStateError } from '../../errors.ts';
import { lastSetter, type Setter } from '../blame.ts';
import { stateUndo } from '../proposals/undo.ts';
import { type CallOptions, type Context, changesOf, scoped, submit, writtenOf } from './context.ts';

export interface UndoOptions extends CallOptions {
  /** Commit of the operation; the newest of the session by default. */
  commit?: string;
  dryRun?: boolean;
}

/** A change that stands in the way of an undo, and who made it. */
export type Obstacle = Change & { by: Setter | null };

export function undoMethods(context: Context) {
  const { engine, transactor } = context;
  const history = { reader: engine.reader, repository: engine.repository, schema: engine.schema };

  return {
    /** Puts back what one operation changed, as a new commit.
     *  @throws CONFLICT with `changes`: what was changed again since, by which commit; INVALID_TRANSITION for what
     *  cannot be undone; COMMIT_NOT_FOUND, HAS_DEPENDENTS, NOT_HOLDER, STALE_TOKEN. */
    async undo(options: UndoOptions = {}) {
      const { dryRun, opId, commit: asked, force } = options;
      const { session, worker, token } = scoped(context, options);
      const request = { session, worker, token, force, commit: asked };
      try {
        const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
        if (dryRun) {
          const { before, after, operation } = await transactor.preview(stateUndo, given);
          const changes = diffFollowing(before, after);
          return {
            commit: null,
            changed: false,
            durability: 'local' as const,
            undone: undoneBy(operation),
            changes,
          };
        }
        const landed = await submit(context, stateUndo, { ...given, opId });
        const changes = await changesOf(context, landed);
        return { ...writtenOf(landed), undone: undoneBy(landed.operation), changes };
      } catch (error) {
        throw error instanceof GitStateError && error.code === 'CONFLICT' ? await withCulprits(error) : error;
      }
    },
  };

  /** Names, with each change that stands in the way, the commit that made it. */
  async function withCulprits(error: GitStateError): Promise<GitStateError> {
    const { commit, changes } = error.details as { commit?: string; changes?: Change[] };
    const tip = await engine.tip();
    if (commit === undefined || changes === undefined || tip === null) return error;
    const obstacles: Obstacle[] = [];
    for (const change of changes.slice(0, obstaclesMax)) {
      const range = { tip, since: commit, path: pathOf(change) };
      obstacles.push({ ...change, by: await lastSetter(history, range, change.path) });
    }
    const { by } = obstacles[0]!;
    const who = by === null ? '' : `, by ${by.commit.slice(0, 7)} (${by.op ?? 'by hand'}, ${by.actor})`;
    return new GitStateError('CONFLICT', `${error.message}${who}`, {
      hint: error.hint!,
      details: { ...error.details, changes: obstacles },
      cause: error,
    });
  }
}

/** Changes whose commits are looked for; the rest would say the same at more length. */
const obstaclesMax = 50;

function undoneBy(operation: Operation | null): string | null {
  return operation?.type === 'state.undo' ? operation.args.commit : null;
}

function pathOf({ entity, session, id }: Change): string {
  switch (entity) {
    case 'store':
      return storePath;
    case 'preset':
      return presetPath(id);
    case 'session':
      return sessionPath(id);
    case 'feature':
      return featurePath(session!, id);
    case 'worker':
      return workerPath(session!, id);
    case 'checkpoint':
      return checkpointPath(session!, id);
    case 'cost':
      return costPath(session!, id.slice(0, 10), id.slice(11));
    case 'artifact':
      return artifactPath(session!, id);
    default:
      return entity satisfies never;
  }
}
