/** Gives every test the worst user settings there are, and nothing of the settings of whoever runs the tests. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'gitstate-user-'));
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 3 }));

const home = join(root, 'home');
const hooks = join(root, 'hooks');
const globalConfig = join(root, 'gitconfig');
mkdirSync(home);
mkdirSync(hooks);

function addHook(name: string, script: string): void {
  const path = join(hooks, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

const refusing = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'pre-push', 'pre-rebase', 'pre-auto-gc'];
for (const name of refusing) addHook(name, 'exit 1');
// People's branches of work, such as feature/x, may be made: that is done under their hooks on purpose.
addHook(
  'reference-transaction',
  'while read -r old new ref; do case "$ref" in HEAD|*_HEAD|refs/heads/*/*) ;; *) exit 1 ;; esac; done',
);
addHook('post-checkout', 'exit 0');

writeFileSync(
  globalConfig,
  `[commit]
	gpgSign = true
[tag]
	gpgSign = true
[push]
	gpgSign = if-asked
	followTags = true
[gpg]
	program = /bin/false
[core]
	hooksPath = ${hooks}
	abbrev = 4
	quotePath = true
	autocrlf = true
	pager = false
	fsmonitor = /bin/false
	logAllRefUpdates = true
[color]
	ui = always
[i18n]
	commitEncoding = latin1
	logOutputEncoding = latin1
[trailer]
	separators = "#"
[log]
	showSignature = true
	date = relative
	decorate = full
[status]
	short = true
	branch = true
	showUntrackedFiles = no
	relativePaths = false
[diff]
	noprefix = true
	mnemonicPrefix = true
[fetch]
	prune = true
	pruneTags = true
[user]
	useConfigOnly = true
[init]
	defaultBranch = trunk
[worktree]
	guessRemote = true
[branch]
	autoSetupMerge = always
[advice]
	detachedHead = true
`,
);

for (const name of Object.keys(process.env)) {
  if (/^(?:GIT|GITSTATE|SSH_ASKPASS|EMAIL|LC_|LANGUAGE|XDG_CONFIG)/.test(name)) delete process.env[name];
}
Object.assign(process.env, { HOME: home, GIT_CONFIG_GLOBAL: globalConfig, GIT_CONFIG_NOSYSTEM: '1' });
