import type { Feature } from '../../core/entities.ts';
import { isStepFinished } from '../../core/rules.ts';
import { nextStep } from '../../core/select.ts';
import { contentsOf, featuresInOrder, type State } from '../../core/state.ts';
import { bringWhatIsMissing } from '../bring.ts';
import { judgeClaim, readLease } from '../lease.ts';
import { type ResumeRequest, type Resumption, resume, resumptionOf } from '../proposals/resume.ts';
import { type CallOptions, type Context, scoped, submit, type Written, writtenOf } from './context.ts';

export interface ResumeOptions extends Omit<CallOptions, 'token' | 'force'> {
  /** A checkpoint: its name, or the beginning of it. */
  checkpoint?: string;
  /** A feature: its id, or the beginning of it. */
  feature?: string;
  /** The remote that has what is missing here. */
  from?: string;
}

/** A feature that somebody could go on with. */
export interface Resumable {
  feature: string;
  status: Feature['status'];
  /** The first unfinished step. */
  step: string | null;
}

export interface ResumeAnswer extends Written {
  session: string;
  /** Null where none was meant; then `resumable` lists those that could be. */
  feature: string | null;
  status: Feature['status'] | null;
  step: string | null;
  /** Steps that are finished and stay so. */
  finished: string[];
  /** Where the code stood when the checkpoint was made, by feature. */
  heads: Record<string, { branch: string; oid: string }>;
  checkpoint: string | null;
  /** The claim that was over and has been ended. */
  released: { worker: string; reason: string } | null;
  resumable: Resumable[];
}

export function resumeMethods(context: Context) {
  const { engine } = context;

  async function isLive(session: string, feature: Feature): Promise<boolean> {
    if (feature.claim === null) return false;
    const { env, driftMs } = engine;
    const lease = await readLease(engine.reader, session, feature);
    return judgeClaim(feature, lease, { env, nowMs: env.now(), driftMs }).state === 'live';
  }

  /** What was begun, or is one of the checkpoint's, and nobody works on. */
  async function resumableOf(state: State, { session, checkpoint }: Resumption): Promise<Resumable[]> {
    const found: Resumable[] = [];
    for (const feature of featuresInOrder(contentsOf(state, session.id))) {
      const { id, status } = feature;
      if (status === 'completed' || status === 'archived') continue;
      if (checkpoint ? !Object.hasOwn(checkpoint.heads, id) : feature.started_at === null) continue;
      if (!(await isLive(session.id, feature))) found.push({ feature: id, status, step: nextStep(feature) });
    }
    return found;
  }

  /** Where the code of a feature stood, or stands where no checkpoint has it. */
  async function headsOf({ feature, head, checkpoint }: Resumption): Promise<ResumeAnswer['heads']> {
    if (!feature) return checkpoint?.heads ?? {};
    if (head) return { [feature.id]: head };
    if (feature.branch === null) return {};
    const info = await engine.reader.info(`refs/heads/${feature.branch}`);
    return info ? { [feature.id]: { branch: feature.branch, oid: info.oid } } : {};
  }

  return {
    /** Finds where to go on with a feature, and ends its claim if that is over; takes nothing back. Without a feature
     *  it writes nothing and says what could be resumed.
     *  @throws CHECKPOINT_NOT_FOUND, FEATURE_NOT_FOUND, INVALID_INPUT (several match), ALREADY_CLAIMED (a live claim),
     *  INVALID_TRANSITION (finished), COMMIT_NOT_FOUND (its code is gone) */
    async resume(options: ResumeOptions = {}): Promise<ResumeAnswer> {
      const { session, worker } = scoped(context, { session: options.session, worker: options.worker });
      const { defaults } = context;
      const request = {
        session,
        worker,
        checkpoint: options.checkpoint,
        feature: options.feature,
        surrounding: defaults.feature ?? defaults.claimFile?.feature,
      } as ResumeRequest;
      const { from } = options;
      await bringWhatIsMissing(context, from, ({ state }) => resumptionOf(state, request).head);
      const landed = await submit(context, resume, { ...request, opId: options.opId });
      const meant = resumptionOf(landed.state, request);
      const { feature, checkpoint } = meant;
      const { over } = (landed.operation?.args ?? {}) as { over?: { worker: string; reason: string } };
      return {
        session: meant.session.id,
        feature: feature?.id ?? null,
        status: feature?.status ?? null,
        step: feature ? nextStep(feature) : null,
        finished: feature ? feature.steps.filter(isStepFinished).map(({ name }) => name) : [],
        heads: await headsOf(meant),
        checkpoint: checkpoint?.name ?? null,
        released: over ? { worker: over.worker, reason: over.reason } : null,
        resumable: feature ? [] : await resumableOf(landed.state, meant),
        ...writtenOf(landed),
      };
    },
  };
}
