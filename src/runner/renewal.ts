import { isGitStateError } from '../errors.ts';
import { isStranded, reconcile } from './persist.ts';
import { type Claim, proofOf, type Run } from './run.ts';

/** The process group that works under a claim, as its lease names it. */
export interface Child {
  pid: number;
  started: string | null;
}

/** Answers after which a claim is no longer ours. */
const lostCodes = [
  'STALE_TOKEN',
  'NOT_HOLDER',
  'INVALID_TRANSITION',
  'FEATURE_NOT_FOUND',
  'SESSION_NOT_FOUND',
] as const;

/** Whether the store refused a write because the claim is no longer ours. */
export function isLost(error: unknown): error is Error {
  return isGitStateError(error, ...lostCodes);
}

const retryMsMax = 1000;
const delayMsMin = 20;

/** Keeps a claim's lease alive for as long as the command runs, from a timer of its own: it looks at nothing that the
 *  command could keep busy. The next renewal is due when a third of what the last one gained is over. */
export class Renewal {
  readonly #run: Run;
  readonly #claim: Claim;
  readonly #lost = new AbortController();
  #child: Child | null | undefined;
  #stopped = false;
  #due = false;
  /** Told once the present child has been written down, or could not be. */
  #noted: (() => void)[] = [];
  #endMs: number;
  #wake: () => void = () => {};

  constructor(run: Run, claim: Claim) {
    this.#run = run;
    this.#claim = claim;
    this.#endMs = Date.parse(claim.expiresAt);
    void this.#renewOnAndOn();
  }

  /** Aborted with a reason once the claim is somebody else's. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Writes into the lease which process group works under it. @returns once that was tried. */
  note(child: Child | null): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#child = child;
    this.#due = true;
    this.#wake();
    return new Promise((resolve) => this.#noted.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
    for (const resolve of this.#noted.splice(0)) resolve();
  }

  /** Milliseconds until a third of what is left of the lease is over. */
  #untilDue(): number {
    return Math.max(delayMsMin, (this.#endMs - this.#run.env.now()) / 3);
  }

  async #renewOnAndOn(): Promise<void> {
    let delayMs = this.#untilDue();
    for (;;) {
      await this.#pause(delayMs);
      if (this.#stopped) return;
      this.#due = false;
      const noted = this.#noted.splice(0);
      try {
        await this.#renew();
        delayMs = this.#untilDue();
      } catch (error) {
        if (this.#stopped) return;
        if (isLost(error)) return await this.#end(error);
        if (isStranded(error)) await reconcile(this.#run).catch(() => {});
        this.#complain(String((error as Error).message));
        delayMs = Math.min(retryMsMax, this.#untilDue());
      } finally {
        for (const resolve of noted) resolve();
      }
    }
  }

  async #renew(): Promise<void> {
    const { env, store, lease } = this.#run;
    const overdueMs = this.#untilDue();
    const alarm = setTimeout(() => this.#complain('the store does not answer'), overdueMs);
    try {
      const renewed = await store.heartbeat({
        ...proofOf(this.#run, this.#claim),
        lease,
        child: this.#child,
      });
      this.#endMs = Math.max(Date.parse(renewed.expires_at), env.now() + delayMsMin);
      const { worker, id } = this.#claim;
      if (!this.#stopped) this.#run.emit('renewed', { worker, feature: id, expires_at: renewed.expires_at });
    } finally {
      clearTimeout(alarm);
    }
  }

  #complain(message: string): void {
    if (this.#stopped) return;
    const { worker, id } = this.#claim;
    const expires_at = new Date(this.#endMs).toISOString();
    this.#run.emit('renewal_failed', { worker, feature: id, message, expires_at });
  }

  /** A command that completes its own feature ends the claim, and may take its time to finish afterwards. */
  async #end(error: Error): Promise<void> {
    const completed = await isCompletedBy(this.#run, this.#claim).catch(() => false);
    if (!completed && !this.#stopped) this.#lost.abort(error);
    this.stop();
  }

  #pause(delayMs: number): Promise<void> {
    if (this.#due || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether the feature is completed, and the claim's own worker did it. */
export async function isCompletedBy({ store, session }: Run, { id, worker }: Claim): Promise<boolean> {
  const { status, completed_by } = await store.show({ session, feature: id });
  return status === 'completed' && completed_by === worker;
}
