import { noStore } from '../moved.ts';
import { type Verification, verifyHistory } from '../verify/verify.ts';
import { type Context, namedSession } from './context.ts';

export interface VerifyOptions {
  /** `OLDER..NEWER`, with one of them left out or without `..`: points as elsewhere. All up to the tip by default. */
  range?: string;
  /** Do not begin where an earlier run ended. */
  full?: boolean;
  /** Commits made by hand are problems, too. */
  strict?: boolean;
  /** Every commit needs a good signature. */
  signatures?: boolean;
  /** Goes on in the epochs before the present one; those that are not here are fetched, if there is a remote. */
  epochs?: boolean;
  session?: string;
}

export function verifyMethods(context: Context) {
  const { engine, transactor, remote } = context;

  async function pointOf(text: string, session: string | undefined, tip: string): Promise<string> {
    // Any ref or commit can be named without a state that can be read: it may be damaged.
    if (/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)) return text;
    const now = await engine.at(tip, 'all');
    return (await engine.point(now, text, namedSession(context, now, session))).commit;
  }

  async function bring(tip: string): Promise<void> {
    if (remote !== null)
      await transactor.exclusively(4 * remote.settings.timeoutMs, () => remote.fetchEpochs(tip));
  }

  return {
    /** Replays the operations of the history and compares what they lead to with what stands there. Answers whatever it
     *  finds; it throws where the question cannot be answered.
     *  @throws NOT_INITIALIZED, SCHEMA_TOO_NEW, INVALID_INPUT, COMMIT_NOT_FOUND, CHECKPOINT_NOT_FOUND */
    async verify(options: VerifyOptions = {}): Promise<Verification> {
      const {
        range = '',
        full = false,
        strict = false,
        signatures = false,
        epochs = false,
        session,
      } = options;
      const tip = await engine.tip();
      if (tip === null) throw await noStore(engine);
      const dots = range.indexOf('..');
      const [older, newer] = dots < 0 ? ['', range] : [range.slice(0, dots), range.slice(dots + 2)];
      const to = newer === '' ? tip : await pointOf(newer, session, tip);
      const from = older === '' ? null : await pointOf(older, session, tip);
      return verifyHistory(engine, { to, from, full, strict, signatures, epochs }, bring);
    },
  };
}
