import { neverStopped, stopsOn } from '../core/budgets.ts';
import type { JsonObject } from '../core/json.ts';
import { contentsOf, requireSession } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import type { ImportContext, Imported, Warning } from '../formats/imported.ts';
import { exportOrchestrator, importOrchestrator } from '../formats/orchestrator.ts';
import { exportParallelDev, importParallelDev } from '../formats/parallel-dev.ts';
import { exportProduction, importProduction } from '../formats/production.ts';
import { exportCsv, exportJson, exportMarkdown, exportMermaid } from '../formats/text.ts';
import type { Written } from '../store/api/context.ts';
import type { Store } from '../store/open.ts';

/** Documents of other programs into the store, and out of it. */

const importers = {
  'parallel-dev': importParallelDev,
  orchestrator: importOrchestrator,
  production: importProduction,
} as const;

export const importFormats = Object.keys(importers) as (keyof typeof importers)[];
export const exportFormats = [...importFormats, 'json', 'csv', 'mermaid', 'markdown'] as const;
export type ExportFormat = (typeof exportFormats)[number];

function requireFormat<F extends string>(format: string, known: readonly F[]): F {
  const found = known.find((one) => one === format);
  if (found !== undefined) return found;
  throw new GitStateError('INVALID_INPUT', `no format '${format}'`, { hint: `formats: ${known.join(', ')}` });
}

/** Puts the sessions of a document in place, all or none.
 *  @param request.session id for its session, where it has but one.
 *  @throws INVALID_INPUT with the place of the fault, SCHEMA_TOO_NEW, ALREADY_EXISTS, NOT_INITIALIZED */
export async function importDocument(
  store: Store,
  request: { format: string; document: unknown; session?: string; dryRun?: boolean; opId?: string },
): Promise<Written & { sessions: string[]; warnings: Warning[] }> {
  const { format, document, session, dryRun, opId } = request;
  const read: (document: unknown, context: ImportContext) => Imported =
    importers[requireFormat(format, importFormats)];
  const { sessions, warnings } = read(document, {
    at: store.now() as Instant,
    claimId: () => store.newClaimId(),
    ...(session === undefined ? {} : { session }),
  });
  const written = await store.importSessions({
    format,
    sessions,
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(opId === undefined ? {} : { opId }),
  });
  return { sessions: sessions.map((one) => one.session.id), warnings, ...written };
}

interface ExportRequest {
  format: string;
  session?: string;
  /** Checkpoint, commit, date or age. */
  at?: string;
}

/** One session as a document; as parallel-dev's, all sessions that are not archived unless one is named.
 *  @returns text for csv, mermaid and markdown, a JSON object otherwise.
 *  @throws SESSION_NOT_FOUND, AMBIGUOUS_SESSION, NOT_INITIALIZED */
export async function exportDocument(store: Store, request: ExportRequest): Promise<JsonObject | string> {
  const format = requireFormat(request.format, exportFormats);
  const point = request.at === undefined ? {} : { at: request.at };
  if (format === 'parallel-dev') {
    // Without a store there is no document; `sessionList` says so.
    await store.sessionList(point);
    const { state } = (await store.state(point))!;
    return exportParallelDev({
      state,
      ...(request.session === undefined ? {} : { session: request.session }),
    });
  }
  const named = request.session === undefined ? {} : { session: request.session };
  const { id } = await store.sessionShow({ ...point, ...named });
  const { state, commit } = (await store.state(point))!;
  const session = requireSession(state, id);
  const subject = {
    state,
    session: id,
    isStopped:
      request.at === undefined
        ? stopsOn(session, contentsOf(state, id), store.now() as Instant)
        : neverStopped,
  };
  switch (format) {
    case 'orchestrator':
      return exportOrchestrator({
        state,
        session: id,
        logs: (await store.documentLog(id, commit)) as unknown as JsonObject[],
      });
    case 'production':
      return exportProduction({ state, session: id });
    case 'json':
      return exportJson({
        ...subject,
        renewals: await renewals(store, id, request.at),
      }) as unknown as JsonObject;
    case 'csv':
      return exportCsv(subject);
    case 'mermaid':
      return exportMermaid(subject);
    case 'markdown':
      return exportMarkdown(subject);
    default:
      return format satisfies never;
  }
}

/** Ends of leases as renewed; of an earlier point they are not known. */
async function renewals(store: Store, session: string, at: string | undefined) {
  if (at !== undefined) return new Map();
  const { features } = await store.list({ session, status: ['in_progress'] });
  const ends = features.flatMap(({ id, claim }) => (claim ? [[id, claim.expires_at] as const] : []));
  return new Map(ends) as NonNullable<Parameters<typeof exportJson>[0]['renewals']>;
}
