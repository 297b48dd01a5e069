import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** What all servers of the tests have in common. */
export interface GitServer {
  /** What a client is given to reach the bare repository of this name in the served folder. */
  url(repository: string): string;
  /** Where it listens on 127.0.0.1; null where there is no port. */
  port: number | null;
  /** Variables that a client's process needs to get in. */
  env: Record<string, string>;
  /** Ends it and everything it started. The second time it does nothing. */
  stop(): Promise<void>;
}

/** Settings of a client, in order; a key may come more than once. */
export type Settings = readonly (readonly [key: string, value: string])[];

/** Settings as variables of a client's process. */
export function settingsEnvironment(settings: Settings): Record<string, string> {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [index, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

/** The variables that a server runs under: nothing of the user's, and nothing of the tests' hostile settings. */
export const serverEnvironment: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** The path of a program; servers often lie outside the path of users. @returns null where it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A port of 127.0.0.1 that nobody listens on. Somebody else may take it before it is used. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await listen(probe);
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Lets a server of this process listen on 127.0.0.1. @returns its port. */
export async function listen(server: import('node:net').Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve());
  });
  return (server.address() as { port: number }).port;
}

/** The same URL with another host and port: how a client comes through a proxy. */
export function urlAt(url: string, port: number): string {
  const moved = new URL(url);
  moved.hostname = '127.0.0.1';
  moved.port = String(port);
  return moved.href;
}

/** As `describe`; skipped, with what to install in the name, where something is missing. */
export function describeServer(name: string, missing: string | null, body: () => void): void {
  describe.skipIf(missing !== null)(missing === null ? name : `${name} (skipped: ${missing})`, body);
}
