import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Builds what the command-line tests run, where there is something to build. */
export default async function setup(): Promise<void> {
  const script = new URL('../../build.mjs', import.meta.url);
  if (!existsSync(fileURLToPath(script))) return;
  const { build } = (await import(script.href)) as { build: () => Promise<unknown> };
  await build();
}
