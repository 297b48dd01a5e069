import * as z from 'zod';
import { type Budgets, type Preset, SessionStatus, sessionRules } from '../../core/entities.ts';
import { keyOf, SessionId, StepName } from '../../core/ids.ts';
import { JsonRecord, PlainNumber, recordOf, Text } from '../../core/json.ts';
import { Amount } from '../../core/money.ts';
import { builtInPresets, GivenPreset, requirePreset } from '../../core/presets.ts';
import { requireStore, type State } from '../../core/state.ts';
import type { Instant } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';
import { proposal } from '../proposal.ts';
import { scope, sessionOf } from './scope.ts';

const budgetOptions = {
  budgetStep: recordOf(StepName, Amount.nullable()).optional(),
  budgetFeature: Amount.nullable().optional(),
  budgetDay: Amount.nullable().optional(),
};

/** A session begins under the rules of a preset; options override them. */
export const sessionStart = proposal(
  'session start',
  z.strictObject({
    session: SessionId.optional(),
    preset: z.string().optional(),
    /** A preset that need not be in the store, instead of one by its name. */
    rules: GivenPreset.optional(),
    steps: z.array(StepName).optional(),
    name: Text.optional(),
    config: JsonRecord.optional(),
    maxRetries: sessionRules.max_retries.optional(),
    lease: sessionRules.default_lease.optional(),
    autoCheckpoints: z.boolean().optional(),
    /** Least scores without which no feature is completed; null lifts one of the preset's. */
    qualityMin: recordOf(Text, PlainNumber.nullable()).optional(),
    ...budgetOptions,
  }),
  (request, { state, at }) => {
    const store = requireStore(state);
    const preset = request.rules
      ? requireOwnName(request.rules)
      : requirePreset(state, request.preset ?? store.preset);
    const { steps, budgets, max_retries, lease, auto_checkpoints, quality_min } = preset;
    const id = request.session ?? nextSessionId(state, preset, at);
    return {
      type: 'session.start',
      session: id as SessionId,
      args: {
        preset: preset.name === 'none' ? null : preset.name,
        name: request.name ?? id,
        config: request.config ?? {},
        steps: request.steps ?? steps,
        budgets: {
          steps: withChanges<Budgets['steps']>(budgets.steps, request.budgetStep),
          feature: request.budgetFeature === undefined ? budgets.feature : request.budgetFeature,
          day: request.budgetDay === undefined ? budgets.day : request.budgetDay,
        },
        max_retries: request.maxRetries ?? max_retries,
        default_lease: request.lease ?? lease,
        auto_checkpoints: request.autoCheckpoints ?? auto_checkpoints,
        quality_min: withChanges<Preset['quality_min']>(quality_min, request.qualityMin),
      },
    };
  },
);

/** @throws ALREADY_EXISTS where a preset of the users' own calls itself like a built-in one. */
function requireOwnName(rules: Preset): Preset {
  const taken = builtInPresets().some(({ name }) => name !== 'none' && name === keyOf(rules.name));
  if (!taken) return rules;
  throw new GitStateError('ALREADY_EXISTS', `'${rules.name}' is a built-in preset`, {
    hint: 'choose another name',
  });
}

/** The values by name with some of them changed; null lifts one. */
function withChanges<T extends Record<string, number>>(
  values: T,
  changes: Record<string, number | null> = {},
): T {
  const merged = new Map<string, number | null>(Object.entries(values));
  for (const [name, value] of Object.entries(changes)) merged.set(name, value);
  return Object.fromEntries([...merged].filter(([, value]) => value !== null)) as T;
}

/** The next free id in the preset's form: `YYYY-MM-DD-NNN` with the number one above the highest ever used that day,
 *  or a name with the time in it. */
function nextSessionId(state: State, preset: Preset, at: Instant): string {
  const used = new Set([...state.sessions.values()].map(({ id }) => keyOf(id)));
  for (const id of state.store?.retired ?? []) used.add(keyOf(id));
  if (preset.session_id === 'date') {
    const day = at.slice(0, 10);
    const numbers = [...used].map((id) => Number(new RegExp(`^${day}-(\\d{3,6})$`).exec(id)?.[1] ?? 0));
    return `${day}-${String(Math.max(0, ...numbers) + 1).padStart(3, '0')}`;
  }
  const digits = at.replace(/[-:Z]/g, '').replace('T', '-');
  const stem = preset.session_id === 'orchestrator' ? `speckit-orch-${digits}` : 'production';
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? stem : `${stem}-${count}`;
    if (!used.has(id)) return id;
  }
}

export const sessionUpdate = proposal(
  'session update',
  z.strictObject({
    ...scope,
    name: Text.optional(),
    config: JsonRecord.optional(),
    status: SessionStatus.optional(),
    maxRetries: sessionRules.max_retries.optional(),
    lease: sessionRules.default_lease.optional(),
    autoCheckpoints: z.boolean().optional(),
    qualityMin: recordOf(Text, PlainNumber.nullable()).optional(),
    ...budgetOptions,
  }),
  (request, { state }) => {
    const session = sessionOf(state, request.session);
    const { budgetStep, budgetFeature, budgetDay } = request;
    const budgets = {
      ...(budgetStep === undefined ? {} : { steps: budgetStep }),
      ...(budgetFeature === undefined ? {} : { feature: budgetFeature }),
      ...(budgetDay === undefined ? {} : { day: budgetDay }),
    };
    return {
      type: 'session.update',
      session: session.id,
      args: {
        name: request.name,
        status: request.status,
        config: request.config,
        max_retries: request.maxRetries,
        default_lease: request.lease,
        auto_checkpoints: request.autoCheckpoints,
        quality_min: request.qualityMin,
        budgets: Object.keys(budgets).length > 0 ? budgets : undefined,
      },
    };
  },
);

const ending = z.strictObject({ ...scope, force: z.boolean().optional() });

function endingProposal(type: 'session.complete' | 'session.fail' | 'session.archive') {
  return proposal(type.replace('.', ' '), ending, (request, { state }) => {
    const session = sessionOf(state, request.session);
    return { type, session: session.id, args: request.force ? { force: true } : {} };
  });
}

export const sessionComplete = endingProposal('session.complete');
export const sessionFail = endingProposal('session.fail');
export const sessionArchive = endingProposal('session.archive');
