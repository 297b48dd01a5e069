import { GitStateError, isGitStateError } from '../../errors.ts';
import type { ClaimAnswer, ClaimOptions } from '../../store/api/claims.ts';
import { callOf, command, type Invocation, namedFeature, subjectFeature, usage } from '../command.ts';
import { duration, matchOption, wait } from '../options.ts';
import type { Answer, Ui } from '../output.ts';
import { visible } from '../text.ts';
import { clockTime } from '../views/time.ts';

interface ClaimFlags {
  check?: boolean;
  wait?: true | string;
  worktree?: boolean;
  base?: string;
  lease?: string;
  match?: string[];
}

export const claim = command<ClaimFlags>({
  operands: '[ID]',
  description:
    'Takes a feature for a worker: the one named, else the first that is ready. Of several workers that claim one ' +
    'feature exactly one gets it. The answer holds a token, which proves the claim; keep it in GITSTATE_TOKEN. ' +
    'Claimed again with its token, a claim is renewed.\n' +
    'With --check it changes nothing and says whether the claim is still yours: exit status 0, else 4.',
  options: [
    {
      flags: '--wait[=DUR]',
      description: 'wait until something is ready: for ever, or for so long',
      parse: wait,
    },
    { flags: '--worktree', description: 'make a worktree for it, on a branch feature/ID of its own' },
    { flags: '--base REF', description: 'where the new branch starts (else HEAD)' },
    {
      flags: '--lease DUR',
      description: 'length of the claim (else that of the session, 15m)',
      parse: duration,
    },
    matchOption,
    { flags: '--check', description: 'only say whether the claim is still yours' },
  ],
  examples: [
    'git state claim',
    'git state claim 003 --worker W1 --lease 1h',
    'git state claim --worktree --base main --wait=10m',
    "git state claim --match 'id=api-*' --match priority=P0",
    'IFS=$(printf "\\t") read -r id token worker worktree <<< "$(git state claim)"',
    'git state claim --check || exit 1   # in a pre-push hook',
  ],
  pipe: 'ID, token, worker, worktree',
  writes: true,
  // Without an id the next feature is wanted, whichever the environment is about.
  ignores: ['GITSTATE_FEATURE'],
  run: (invocation) => (invocation.options.check ? check(invocation) : take(invocation)),
});

async function take(invocation: Invocation<ClaimFlags>): Promise<Answer> {
  const { wait, worktree, base, lease, match } = invocation.options;
  const named = namedFeature(invocation);
  if (match !== undefined && named.feature !== undefined) {
    throw usage('--match chooses a feature, and one is named: give one of the two', invocation.name);
  }
  if (base !== undefined && !worktree) {
    throw usage('--base is where the branch of a worktree starts: give --worktree, too', invocation.name);
  }
  const store = await invocation.store();
  const options: ClaimOptions = {
    ...named,
    ...(match === undefined ? {} : { match }),
    ...(wait === undefined ? {} : { wait }),
    ...(worktree ? { worktree } : {}),
    ...(base === undefined ? {} : { base }),
    ...(lease === undefined ? {} : { lease }),
    ...callOf(invocation),
  };
  const value = await store.claim(options).catch((error) => {
    throw withWaitHint(error, options);
  });
  const { feature, token, worker } = value;
  return {
    value,
    human: (ui) => claimLines(value, ui),
    plain: [[feature.id, token, worker, value.worktree]],
    essential: true,
  };
}

function claimLines(
  { feature, token, worker, expires_at, worktree, branch, changed }: ClaimAnswer,
  ui: Ui,
): string[] {
  const { colors, nowMs } = ui;
  const proof = token === null ? 'token unknown here' : `token ${token}`;
  const lines = [
    `${changed ? 'claimed' : 'renewed'} ${colors.bold(feature.id)} for ${worker} until ${clockTime(expires_at, nowMs)} (${proof})`,
  ];
  if (worktree !== null) lines.push(`worktree ${visible(worktree)} on branch ${visible(branch ?? '')}`);
  return lines;
}

/** `--wait 5m` names a feature '5m'. */
function withWaitHint(error: unknown, { wait, feature }: ClaimOptions): unknown {
  const meant = wait === true && feature !== undefined && /^\d+(ms|s|m|h|d)$/.test(feature);
  if (!meant || !isGitStateError(error, 'FEATURE_NOT_FOUND')) return error;
  return new GitStateError(error.code, error.message, {
    hint: `to wait so long write --wait=${feature}`,
    details: error.details,
    cause: error,
  });
}

async function check(invocation: Invocation<ClaimFlags>): Promise<Answer> {
  const store = await invocation.store();
  const value = await store.claimCheck({ ...subjectFeature(invocation), ...namedFeature(invocation) });
  const { feature, holder, held, expired, expires_at } = value;
  if (held && expired) {
    invocation.output.warning(
      `the lease of '${feature}' is over and anybody may take it: renew it with \`git state heartbeat ${feature}\``,
    );
  }
  return {
    value,
    human: ({ nowMs }) => [
      held
        ? `${feature} is yours (${holder}) until ${clockTime(expires_at!, nowMs)}`
        : `${feature} is not yours: ${holder === null ? 'nobody holds it' : `${holder} holds it`}`,
    ],
    plain: [[feature, held ? 'held' : 'lost', holder, expires_at]],
    exitStatus: held ? 0 : 4,
  };
}
