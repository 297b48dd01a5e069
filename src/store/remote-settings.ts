import { parseDuration } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import type { Repository } from '../git/repository.ts';
import { requireRemote } from '../git/transport.ts';

/** How this clone shares its state with others; null where it keeps it to itself. */
export interface RemoteSettings {
  /** Name of the configured remote. */
  name: string;
  /** Deadline of one exchange with the server, in milliseconds. */
  timeoutMs: number;
  /** For how long facts may wait for the next push, in milliseconds; null: they do not. */
  pushIntervalMs: number | null;
  pushOptions: string[];
}

interface Given {
  remote?: string | undefined;
  offline?: boolean | undefined;
}

const timeoutDefaultMs = 60_000;

/** What the options say, else the settings. @throws USAGE where there is no such remote, INVALID_INPUT */
export function remoteSettings(repository: Repository, { remote, offline }: Given): RemoteSettings | null {
  const name = remote ?? repository.config.get('gitstate.remote');
  if (name === undefined || name === '' || offline) return null;
  return settingsOf(repository, name);
}

/** The settings for one remote. @throws USAGE where there is no such remote, INVALID_INPUT */
export function settingsOf(repository: Repository, name: string): RemoteSettings {
  const { config } = repository;
  return {
    name: requireRemote(repository, name),
    timeoutMs: duration(repository, 'gitstate.remoteTimeout') ?? timeoutDefaultMs,
    pushIntervalMs: duration(repository, 'gitstate.pushInterval'),
    pushOptions: config.getAll('gitstate.pushOption'),
  };
}

function duration({ config }: Repository, key: string): number | null {
  const text = config.get(key);
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw new GitStateError('INVALID_INPUT', `setting '${key}' is '${text}', which is no duration`, {
    hint: `durations look like '30s'; see where it is set with \`git config --show-origin --get-all ${key}\``,
    details: { key, value: text },
  });
}
