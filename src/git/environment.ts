/** Environment variables as they were found. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Variables that tie Git to one repository (`git rev-parse --local-env-vars`) or change what it reads or prints. */
const scrubbed = new Set([
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_OBJECT_DIRECTORY',
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_GRAFT_FILE',
  'GIT_INDEX_FILE',
  'GIT_INDEX_VERSION',
  'GIT_REPLACE_REF_BASE',
  'GIT_PREFIX',
  'GIT_INTERNAL_SUPER_PREFIX',
  'GIT_SHALLOW_FILE',
  'GIT_COMMON_DIR',
  'GIT_QUARANTINE_PATH',
  'GIT_NAMESPACE',
  'GIT_REFLOG_ACTION',
  'GIT_EXTERNAL_DIFF',
  'GIT_DIFF_OPTS',
  'GIT_ATTR_SOURCE',
  'GIT_GLOB_PATHSPECS',
  'GIT_NOGLOB_PATHSPECS',
  'GIT_ICASE_PATHSPECS',
  'GIT_REF_PARANOIA',
  'GIT_FLUSH',
  'GIT_SEQUENCE_EDITOR',
  'GIT_AUTHOR_DATE',
  'GIT_COMMITTER_DATE',
  'LANGUAGE',
]);

const scrubbedPrefixes = /^GIT_(?:TEST|PUSH_OPTION)_/;

/** Settings handed over in the environment; some carry credentials, so that network commands need them. */
const injectedSettings = /^GIT_CONFIG(?:_PARAMETERS|_COUNT|_KEY_\d+|_VALUE_\d+)?$/;

const fixed = {
  LC_ALL: 'C',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_PAGER: 'cat',
  GIT_EDITOR: ':',
  GIT_LITERAL_PATHSPECS: '1',
} as const;

/** A trace into a file disturbs nobody; any other would stand among the messages that are read. */
function isDisturbingTrace(name: string, value: string): boolean {
  return name.startsWith('GIT_TRACE') && !value.startsWith('/');
}

/** The environment for a Git child that already knows its repository: nothing of the caller's repository, locale,
 *  pager, prompts or traces gets through, and its settings and credentials only to `network` commands.
 *  `GIT_CONFIG_GLOBAL`, `GIT_CONFIG_SYSTEM` and `GIT_CONFIG_NOSYSTEM` always stay. */
export function cleanEnvironment(
  variables: Variables,
  { network = false }: { network?: boolean } = {},
): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined || scrubbed.has(name) || scrubbedPrefixes.test(name)) continue;
    if (isDisturbingTrace(name, value)) continue;
    if (!network && injectedSettings.test(name)) continue;
    // Read by `git config` alone, as if it were --file: no command of ours wants that.
    if (name === 'GIT_CONFIG') continue;
    clean[name] = value;
  }
  return Object.assign(clean, fixed);
}

/** The environment for finding the repository: as `cleanEnvironment`, but what points to the repository is honoured. */
export function discoveryEnvironment(variables: Variables): Record<string, string> {
  const environment = cleanEnvironment(variables, { network: true });
  for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_COMMON_DIR']) {
    const value = variables[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
