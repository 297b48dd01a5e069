import type { Budgets, Checkpoint, Claim, CostEntry, Feature, Session, Worker } from '../core/entities.ts';
import { type ClaimId, type FeatureId, keyOf, type SessionId } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { builtInPresets } from '../core/presets.ts';
import { type Contents, emptyContents } from '../core/state.ts';
import { Table } from '../core/table.ts';
import { type Instant, leaseEndOf, millisecondsOf } from '../core/time.ts';

/** A session as a document has it: entities ready to be put in place. All of it is JSON. */
export interface ImportedSession {
  session: Session;
  features: Feature[];
  workers: Worker[];
  checkpoints: Checkpoint[];
  /** Costs of one feature on one day. */
  costs: { feature: FeatureId; day: string; entries: CostEntry[] }[];
  /** Log entries as they stand in the document, oldest first; they come before those of the history. */
  logs: JsonObject[];
}

/** Something in a document that was not taken as it stands: a total that differs from what it should add up to, an
 *  unknown dependency, an older version. Nothing of it is lost. */
export interface Warning {
  /** Where in the document, as in `$.features["001"].dependencies[0]`. */
  path: string;
  stored: JsonValue;
  computed: JsonValue;
  message?: string;
}

export interface Imported {
  /** In the order of the document. */
  sessions: ImportedSession[];
  warnings: Warning[];
}

export interface ImportContext {
  /** Time of the import. */
  at: Instant;
  /** Id of the session in place of the document's own; of production's document, which names none. */
  session?: string;
  /** Id for the claim of a feature that somebody works on; it has expired already. */
  claimId(feature: string): ClaimId;
}

/** One entry of a log. */
export type LogLine = { timestamp: string; level: string; message: string };

/** A session by the rules of a preset that comes with gitstate. */
export function sessionFrom(
  preset: 'parallel-dev' | 'orchestrator' | 'production',
  fields: Pick<Session, 'status' | 'config' | 'started_at' | 'updated_at'> & {
    id: SessionId;
    name?: string;
    recovered_at?: Instant | null;
  },
): Session {
  const { name, session_id, lease, ...rules } = builtInPresets().find((known) => known.name === preset)!;
  const budgets: Budgets = rules.budgets;
  return {
    ...rules,
    default_lease: lease,
    id: fields.id,
    preset: name,
    name: fields.name ?? fields.id,
    status: fields.status,
    config: fields.config,
    budgets,
    started_at: fields.started_at,
    updated_at: fields.updated_at,
    completed_at: fields.status === 'completed' ? fields.updated_at : null,
    recovered_at: fields.recovered_at ?? null,
    claim_counts: {},
    removed_cost: 0,
    data: {},
  };
}

const dayMs = 86_400_000;

/** The claim of somebody who worked on a feature outside gitstate. It has ended long enough ago for clocks that
 *  differ, so that the next claim or recovery takes the feature. */
export function expiredClaim(context: ImportContext, feature: string, seenAt: Instant): Claim {
  const endMs = Math.min(millisecondsOf(seenAt), millisecondsOf(context.at) - dayMs);
  return {
    id: context.claimId(feature),
    expires_at: leaseEndOf(endMs),
    host: 'imported',
    boot: null,
    pidns: null,
    pid: null,
    started: null,
    runner: false,
  };
}

/** What the session holds, as a state has it. */
export function contentsOfImport(imported: ImportedSession): Contents {
  const { features, workers, checkpoints, costs } = imported;
  return {
    ...emptyContents,
    features: Table.of(features.map((feature) => [keyOf(feature.id), feature])),
    workers: Table.of(workers.map((worker) => [keyOf(worker.id), worker])),
    checkpoints: Table.of(checkpoints.map((checkpoint) => [keyOf(checkpoint.name), checkpoint])),
    costs: Table.of(costs.map(({ feature, day, entries }) => [`${day}/${keyOf(feature)}`, { entries }])),
  };
}
