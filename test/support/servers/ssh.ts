import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { temporaryDirectory } from '../repo.ts';
import { startProcess } from './process.ts';
import { findProgram, type GitServer, serverEnvironment } from './server.ts';

const program = findProgram('sshd');

/** What to install where there is no `sshd`; null where there is one. */
export const sshMissing: string | null =
  program !== null && findProgram('ssh-keygen') !== null
    ? null
    : 'sshd is not installed; apt-get install openssh-server openssh-client';

export interface SshServer extends GitServer {
  port: number;
  /** `GIT_SSH_COMMAND` with the right key. */
  env: { GIT_SSH_COMMAND: string };
  /** `GIT_SSH_COMMAND` with a key that the server does not know. */
  strangerEnv: { GIT_SSH_COMMAND: string };
  signal(name: NodeJS.Signals): void;
}

/** Serves a folder of bare repositories by `sshd`, for the present user with a key of its own.
 *  The host key is looked up by an alias, so that a proxy in front of the server is not noticed. */
export async function startSsh(folder: string): Promise<SshServer> {
  const place = temporaryDirectory('gitstate-sshd-');
  for (const name of ['host', 'user', 'stranger']) makeKey(join(place, name));
  writeFileSync(join(place, 'authorized_keys'), readFileSync(join(place, 'user.pub')));
  const hostKey = readFileSync(join(place, 'host.pub'), 'utf8').split(' ', 2).join(' ');
  writeFileSync(join(place, 'known_hosts'), `${hostAlias} ${hostKey}\n`);
  const configuration = join(place, 'sshd_config');
  writeFileSync(configuration, serverSettings(place));
  // A server of root insists on this folder, which Debian makes only when it starts its own.
  if (process.getuid!() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const { port, signal, stop } = await startProcess((port) => [
    program!,
    ...['-D', '-e', '-f', configuration, '-o', `ListenAddress=127.0.0.1:${port}`],
  ]);
  const { username } = userInfo();
  return {
    url: (name) => `ssh://${username}@127.0.0.1:${port}${folder}/${name}`,
    port,
    env: { GIT_SSH_COMMAND: clientCommand(place, 'user') },
    strangerEnv: { GIT_SSH_COMMAND: clientCommand(place, 'stranger') },
    signal,
    stop,
  };
}

const hostAlias = 'gitstate-test';

function makeKey(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path], { stdio: 'pipe' });
  chmodSync(path, 0o600);
}

/** Git runs without the settings of whoever runs the tests, although sshd gives it the user's home. */
function serverSettings(place: string): string {
  const { PATH, GIT_CONFIG_GLOBAL, GIT_CONFIG_NOSYSTEM } = serverEnvironment;
  const lines = [
    `HostKey ${join(place, 'host')}`,
    `AuthorizedKeysFile ${join(place, 'authorized_keys')}`,
    'AuthenticationMethods publickey',
    'PermitRootLogin prohibit-password',
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'LogLevel ERROR',
    'MaxStartups 1000',
    // The cheapest there is: post-quantum keys for loopback would double the time of a push.
    'KexAlgorithms curve25519-sha256',
    'AcceptEnv GIT_PROTOCOL',
    `SetEnv GIT_CONFIG_GLOBAL=${GIT_CONFIG_GLOBAL} GIT_CONFIG_NOSYSTEM=${GIT_CONFIG_NOSYSTEM} "PATH=${PATH}"`,
  ];
  // Since 9.8 clients that break off are locked out for a while, and tests break off on purpose.
  if (versionOfSsh() >= 9.8) lines.push('PerSourcePenalties no');
  return `${lines.join('\n')}\n`;
}

function versionOfSsh(): number {
  const said = execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' });
  return Number(/OpenSSH_(\d+\.\d+)/.exec(said)?.[1] ?? 0);
}

function clientCommand(place: string, key: string): string {
  const options = {
    IdentityFile: join(place, key),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: join(place, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: hostAlias,
    StrictHostKeyChecking: 'yes',
    LogLevel: 'ERROR',
  };
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return `ssh -F /dev/null ${words.join(' ')}`;
}
