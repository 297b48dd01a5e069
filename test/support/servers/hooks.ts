import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lets a bare repository run a shell script as a hook. Where the server is a path, that is done by the client. */
export function setHook(
  repository: string,
  name: 'pre-receive' | 'update' | 'post-receive',
  script: string,
): void {
  const path = join(repository, 'hooks', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** Refuses every push to one ref, in the words of a host that protects branches. */
export function protectRef(repository: string, ref: string): void {
  const words = `GH006: Protected branch update failed for ${ref}.`;
  setHook(repository, 'update', `test "$1" != '${ref}' && exit 0\necho '${words}' >&2\nexit 1`);
}

/** Refuses every push as a whole. */
export function refusePushes(repository: string, words = 'pushes are not taken today'): void {
  setHook(repository, 'pre-receive', `echo '${words}' >&2\nexit 1`);
}

/** Hangs in every push before any ref has moved. The hook ends with its repository or its server.
 *  @returns a file that exists once a push hangs. */
export function hangPushes(repository: string): string {
  const sign = join(repository, 'a-push-hangs');
  setHook(
    repository,
    'pre-receive',
    `touch '${sign}'; while test -f '${sign}' && kill -0 "$PPID"; do sleep 0.05; done 2>/dev/null; exit 1`,
  );
  return sign;
}
