import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version in package.json, which lies beside the folder of the bundled command. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
