import { resolve } from 'node:path';
import type { OptionSpec } from './command.ts';

/** Options that stand before or after every command. */
export const globalOptions: readonly OptionSpec[] = [
  {
    flags: '-C PATH',
    description: 'work in the repository around PATH',
    parse: (path, previous) => resolve(previous === undefined ? '.' : String(previous), path),
  },
  { flags: '--branch NAME', description: "state branch (else git config gitstate.branch, else 'gitstate')" },
  {
    flags: '--remote NAME',
    description: 'share the state through this remote (else git config gitstate.remote, else not at all)',
  },
  { flags: '--offline', description: 'work without the remote; `git state sync` tells it later' },
  { flags: '--session ID', description: 'session (else GITSTATE_SESSION, else the only active one)' },
  {
    flags: '--worker NAME',
    description: 'who acts (else GITSTATE_WORKER, else a name made from user and host)',
  },
  { flags: '--token TOKEN', description: 'proof of a claim (else GITSTATE_TOKEN)' },
  { flags: '--feature ID', description: 'feature, where no ID is given (else GITSTATE_FEATURE)' },
  { flags: '--op-id ID', description: 'id of the operation: repeated with the same id it is not done twice' },
  {
    flags: '--at REV',
    description: 'answer as of a checkpoint, commit, date or age (commands that only read)',
  },
  { flags: '--force', description: 'override the claim of somebody else; this is recorded' },
  { flags: '--json', description: 'one JSON object on stdout, errors as JSON on stderr' },
  { flags: '--quiet', description: 'nothing but errors, and what a command is run for' },
  { flags: '--no-color', description: 'no colours; NO_COLOR is obeyed, too' },
];

/** Names of global options that are followed by a value. */
export const globalValueOptions: ReadonlySet<string> = new Set(
  globalOptions.filter(({ flags }) => flags.includes(' ')).map(({ flags }) => flags.split(' ')[0]!),
);

export const globalSwitches: ReadonlySet<string> = new Set(
  globalOptions.filter(({ flags }) => !flags.includes(' ')).map(({ flags }) => flags),
);
