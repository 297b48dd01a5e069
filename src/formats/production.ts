import * as z from 'zod';
import { openingOf, totalCost } from '../core/costs.ts';
import { Session } from '../core/entities.ts';
import { keyOf, SessionId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { metricsOf } from '../core/metrics.ts';
import { amountOf, microsOf, SignedAmount, sumAmounts } from '../core/money.ts';
import { updatedAt } from '../core/select.ts';
import { type Contents, contentsOf, featuresInOrder, requireSession, type State } from '../core/state.ts';
import type { Instant } from '../core/time.ts';
import {
  contentsOfImport,
  type ImportContext,
  type Imported,
  type ImportedSession,
  sessionFrom,
  type Warning,
} from './imported.ts';
import { recall, remember, type Shape } from './keeping.ts';
import {
  episodeMapOf,
  episodeMaps,
  type ImportedEpisode,
  importEpisode,
  productionEpisode,
} from './production-episode.ts';
import {
  checked,
  checkVersion,
  documentNode,
  isObject,
  type Node,
  objectsIn,
  own,
  read,
  readTime,
  refused,
  requireDistinct,
  withData,
  withTimes,
} from './reading.ts';

/** Documents of production, version 3.0.0: its episodes, running and finished, and what all of them cost. */

export const productionVersion = '3.0.0';
const format = 'production';
const defaultSession = 'production';

const documentShape: Shape = {
  derived: ['total_cost', 'total_episodes', 'metrics'],
  nested: { metrics: { derived: ['avg_cost_per_episode', 'avg_production_time', 'success_rate'] } },
  children: [...episodeMaps],
};

/** Reads a document. Its session is `production` unless `context.session` names it.
 *  @throws INVALID_INPUT with the place of the fault, SCHEMA_TOO_NEW */
export function importProduction(document: unknown, context: ImportContext): Imported {
  const node = withTimes(documentNode(document), ['last_updated']);
  const versionNote = checkVersion(node, productionVersion);
  if (!episodeMaps.some((map) => isObject(own(node.value, map)))) {
    throw refused('$', "has neither 'active_episodes' nor 'completed_episodes'");
  }
  const found = episodeMaps.flatMap((map) =>
    objectsIn(node, map).map(([id, episode]) => ({ id, map, node: episode })),
  );
  requireDistinct(
    found.map((one) => [one.id, one.node.path]),
    'episode',
  );
  const session = readSession(
    node,
    found.map((one) => one.node),
    context,
  );
  const episodes = found.map((one) => importEpisode(one.id, one.node, one.map, session));
  const imported = importedOf(session, episodes);
  const opening = importOpening(node, imported);
  const opened = { ...session, data: opening.data };
  const written = writtenDocument(opened, contentsOfImport(imported));
  const memory = remember(format, documentShape, node, written);
  return {
    sessions: [{ ...imported, session: withData(Session, opened, memory.data, node) }],
    warnings: [
      ...(versionNote === null ? [] : [versionWarning(node, versionNote)]),
      ...opening.warnings,
      ...memory.warnings,
      ...episodes.flatMap((episode) => episode.warnings),
    ],
  };
}

function versionWarning(node: Node, message: string): Warning {
  const stored = own(node.value, 'version') ?? null;
  return { path: '$.version', stored, computed: productionVersion, message };
}

function readSession(node: Node, episodes: Node[], context: ImportContext): Session {
  const timesOf = (key: string): Instant[] =>
    episodes.flatMap((episode) => readTime(episode, key) ?? []).sort();
  const updated_at = readTime(node, 'last_updated') ?? timesOf('updated_at').at(-1) ?? context.at;
  return sessionFrom('production', {
    id: checked(SessionId, context.session ?? defaultSession, '$'),
    status: 'active',
    config: {},
    started_at: timesOf('created_at').at(0) ?? updated_at,
    updated_at,
  });
}

function importedOf(session: Session, episodes: readonly ImportedEpisode[]): ImportedSession {
  const checkpoints = new Map(
    episodes
      .flatMap((episode) => episode.checkpoints)
      .reverse()
      .map((checkpoint) => [keyOf(checkpoint.name), checkpoint]),
  );
  return {
    session,
    features: episodes.map(({ feature }) => feature),
    workers: [],
    checkpoints: [...checkpoints.values()].reverse(),
    costs: episodes.flatMap(({ feature, entries }) => {
      const days = [...new Set(entries.map(({ at }) => at.slice(0, 10)))].sort();
      return days.map((day) => ({
        feature: feature.id,
        day,
        entries: entries.filter(({ at }) => at.startsWith(day)),
      }));
    }),
    logs: [],
  };
}

/** What the stored totals have beyond the episodes of the document: it counts on, so that moving over never makes
 *  spending fall. */
function importOpening(node: Node, imported: ImportedSession): { data: JsonObject; warnings: Warning[] } {
  const cost = sumAmounts(imported.costs.flatMap(({ entries }) => entries.map(({ amount }) => amount)));
  const storedCost = read(node, 'total_cost', z.number()) ?? cost;
  checked(SignedAmount, amountOf(microsOf(storedCost)), '$.total_cost');
  const total_cost = amountOf(microsOf(storedCost) - microsOf(cost));
  const count = imported.features.length;
  const storedCount = read(node, 'total_episodes', z.int()) ?? count;
  const total_episodes = storedCount - count;
  const warnings: Warning[] = [];
  if (total_cost !== 0) warnings.push({ path: '$.total_cost', stored: storedCost, computed: cost });
  if (total_episodes !== 0) warnings.push({ path: '$.total_episodes', stored: storedCount, computed: count });
  const opened = total_cost !== 0 || total_episodes !== 0;
  return { data: opened ? { opening: { total_cost, total_episodes } } : {}, warnings };
}

/** The document of one session. @throws SESSION_NOT_FOUND */
export function exportProduction(input: { state: State; session: string }): JsonObject {
  const session = requireSession(input.state, input.session);
  const written = writtenDocument(session, contentsOf(input.state, input.session));
  return recall(format, documentShape, written, session.data) ?? written;
}

function writtenDocument(session: Session, contents: Contents): JsonObject {
  const features = featuresInOrder(contents);
  const { avg_cost, avg_production_time, success_rate } = metricsOf(session, contents);
  const maps = episodeMaps.map((map) => {
    const inside = features.filter((feature) => episodeMapOf(feature) === map);
    return [
      map,
      Object.fromEntries(inside.map((one) => [one.id, productionEpisode(contents, one)])),
    ] as const;
  });
  return {
    version: productionVersion,
    ...Object.fromEntries(maps),
    total_cost: totalCost(session, contents),
    total_episodes: features.length + openingOf(session).total_episodes,
    last_updated: updatedAt(session, contents),
    metrics: { avg_cost_per_episode: avg_cost, avg_production_time, success_rate },
  };
}
