import type { Repository } from '../../git/repository.ts';
import type { Problem } from './problem.ts';

const meanings: Record<string, string> = {
  N: 'has no signature',
  B: 'has a bad signature',
  E: 'has a signature that cannot be checked: its key is not here',
  X: 'has a signature that has expired',
  Y: 'has a signature of an expired key',
  R: 'has a signature of a revoked key',
};

/** Commits whose signature Git does not call good. */
export async function signatureProblems({ git }: Repository, oids: readonly string[]): Promise<Problem[]> {
  if (oids.length === 0) return [];
  const args = ['log', '--no-walk=unsorted', '--stdin', '--no-show-signature', '--format=%H %G? %s'];
  const { stdout } = await git.run(args, {
    input: `${oids.join('\n')}\n`,
    timeoutMs: 600_000,
    network: true,
  });
  const lines = stdout.toString().split('\n').slice(0, -1);
  return lines.flatMap((line): Problem[] => {
    const [commit = '', verdict = 'N', ...subject] = line.split(' ');
    const meaning = meanings[verdict];
    if (meaning === undefined) return [];
    return [
      {
        commit,
        kind: 'signature',
        fails: true,
        message: `it ${meaning}`,
        subject: subject.join(' '),
      },
    ];
  });
}
