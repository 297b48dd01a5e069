import { GitStateError } from '../errors.ts';
import { firstMessage, redactUrls } from './failure.ts';
import type { RunResult } from './run.ts';

/** What became of a push, as far as its answer tells. */
export type PushAnswer =
  | { kind: 'landed' }
  /** Somebody else was first; nothing moved. `missing` names refs that could not be deleted as they are not there. */
  | { kind: 'stale'; missing: string[] }
  /** The server could not lock or move a ref just now: a race there, or a lock left over. */
  | { kind: 'contended'; message: string }
  | { kind: 'unclear'; message: string };

/** Rejections by our own Git: a ref holds something else than we said. */
const staleReason = /\((?:stale info|fetch first|non-fast-forward|needs force|already exists)\)/;
/** The same, noticed by the server in the middle. */
const racedReason =
  /failed to update ref|cannot lock ref|incorrect old value|reference already exists|failed to lock|unable to (?:resolve|lock) ref/i;
/** What the other refs of an atomic push get to hear. */
const companion = /atomic push fail|atomic transaction fail|transaction (?:aborted|failed)/i;
const noReport = /remote failed to report status|\[remote failure\]|expecting report/i;

/** Before anything of ours is sent the server tells its refs; where that fails, nothing can have moved. */
const initialContact =
  /unable to access|could not read from remote repository|could not resolve|connection refused|unable to connect|unable to look up|could not read (?:Username|Password)|does not support --atomic|no such device or address/i;

/** Reads the answer of `git push --porcelain`. @returns `failed` where it holds no word about refs.
 *  @throws REMOTE_REJECTED where the server refuses for good. */
export function parsePush({
  status,
  stdout,
  stderr,
}: RunResult): PushAnswer | { kind: 'failed'; nothingSent: boolean } {
  const lines = stdout
    .toString()
    .split('\n')
    .filter((line) => /^[ +\-*!=]\t/.test(line));
  const missing = [...stderr.matchAll(/unable to delete '([^']+)': remote ref does not exist/g)].map(
    ([, ref]) => ref!,
  );
  if (missing.length > 0) return { kind: 'stale', missing };
  const rejected = lines.filter((line) => line.startsWith('!'));
  if (status === 0 && lines.length > 0 && rejected.length === 0) return { kind: 'landed' };
  if (/ref updates aborted by hook/.test(stderr))
    throw refusal('a hook there stops the move of a ref', stderr);
  if (/does not support --atomic/.test(stderr)) throw refusal('it cannot move several refs at once', stderr);
  if (rejected.length === 0) return { kind: 'failed', nothingSent: initialContact.test(stderr) };
  const reasons = rejected.map((line) => line.split('\t')[2] ?? '');
  if (reasons.some((reason) => noReport.test(reason)))
    return { kind: 'unclear', message: 'the connection ended before the answer' };
  // The server itself compares with what we said that it holds: it takes no move but forward.
  if (reasons.some((reason) => /^\[remote rejected\] \(non-fast-forward\)/.test(reason)))
    throw refusal('it lets the branch move forward only', stderr, reasons);
  if (reasons.some((reason) => staleReason.test(reason))) return { kind: 'stale', missing: [] };
  const telling = reasons.find((reason) => !companion.test(reason) && !racedReason.test(reason));
  const refs = rejected
    .filter((_, index) => reasons[index] === telling)
    .map((line) => line.split('\t')[1]!.replace(/^.*:/, ''));
  if (telling !== undefined)
    throw refusal(telling.replace(/^\[remote rejected\] /, ''), stderr, reasons, refs);
  return { kind: 'contended', message: reasons.find((reason) => racedReason.test(reason)) ?? reasons[0]! };
}

function refusal(reason: string, stderr: string, reasons: string[] = [], refs: string[] = []): GitStateError {
  const said = [...stderr.matchAll(/^remote: (?:(?:error|fatal): )?(.*\S)\s*$/gm)].map(([, line]) => line!);
  const words = said.length > 0 ? ` (${redactUrls(said[0]!)})` : '';
  return new GitStateError('REMOTE_REJECTED', `the server refuses the push: ${bare(reason)}${words}`, {
    hint: 'nothing was changed; ask who keeps the server to let you push these refs',
    details: {
      reason: 'push',
      refs,
      reasons,
      stderr: redactUrls(stderr).slice(0, 4096),
      said: firstMessage(stderr),
    },
  });
}

function bare(reason: string): string {
  return /^\((.*)\)$/.exec(reason)?.[1] ?? reason;
}
