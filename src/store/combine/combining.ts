import { existsSync } from 'node:fs';
import { platform } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Engine } from '../engine.ts';
import type { Group, Waiting } from '../group.ts';
import type { Errand } from '../mutex.ts';
import type { Durability } from '../proposal.ts';
import type { Client } from './client.ts';
import type { Service } from './service.ts';

/** How long a process goes on for others, in milliseconds; less where some wait who cannot ask. */
const serveMs = { most: 3000, besideOthers: 100 };
/** How long it waits to be asked. At first, since each looks every 20 ms or so whether it can; and as long as nobody
 *  else loses by it, since those who were answered are likely to ask again. */
const lingerMs = { most: 50, besideOthers: 2 };
/** How long it waits for those who were just answered once one has asked: all in one group are quicker, and fairer, than
 *  some in this one and some in the next. */
const gatherMs = 3;
/** How often a group is offered to others before it waits for its own turn. */
const offersMax = 8;

/** Committing for many processes at once: one who holds the mutex does it for those who wait. Each request is decided in
 *  the name of its asker, on the state that the one before leads to, and one compare-and-swap publishes them all.
 *  That nothing is lost or done twice rests on that compare-and-swap and on operation ids alone. */
export class Combining {
  readonly #engine: Engine;
  readonly #landedAs: Durability;
  /** Where whoever holds the mutex is asked. */
  readonly #path: string;
  /** Loaded where several write at the same time, and only there. */
  #client: Client | null = null;
  #service: Service | null = null;
  #closing = false;

  constructor(engine: Engine, landedAs: Durability) {
    this.#engine = engine;
    this.#landedAs = landedAs;
    this.#path = join(engine.directory, 'mutex', 'asks');
  }

  /** The way to leave a group to whoever holds the mutex; null where there is none.
   *  @param wanted sessions whose contents this process needs. */
  errandFor(group: Set<Waiting>, wanted: Set<string>): Errand | null {
    if (!canBeSocket(this.#path)) return null;
    let offers = 0;
    return {
      isOpen: () => offers < offersMax && (this.#client?.isConnected || existsSync(this.#path)),
      begin: async () => {
        this.#client ??= await this.#makeClient();
        return this.#client.canAsk(group) && (await this.#client.connect());
      },
      finish: async (leftMs) => {
        offers += 1;
        await this.#client?.ask(group, wanted, leftMs);
        return group.size === 0;
      },
    };
  }

  /** Lets others ask, if any wait. Call it under the mutex. */
  async open(): Promise<void> {
    if (!canBeSocket(this.#path) || this.#closing || this.#engine.mutex.waiting === 0) return;
    this.#service ??= await this.#makeService();
    this.#service.open(this.#path);
  }

  /** Runs `publish` for what others ask, for as long as some do. Call it under the mutex. */
  async serve(publish: () => Promise<void>): Promise<void> {
    await this.open();
    const service = this.#service;
    const sinceMs = performance.now();
    while (service?.isOpen) {
      const goneMs = performance.now() - sinceMs;
      const how = this.#engine.mutex.waiting > 0 && goneMs > lingerMs.most ? 'besideOthers' : 'most';
      await service.wait(() => service.waiting > 0 || this.#closing, lingerMs[how]);
      if (service.waiting === 0 || this.#closing || goneMs > serveMs[how]) return;
      await service.wait(() => service.waiting >= service.expected || this.#closing, gatherMs);
      await publish();
      // Let all be heard that was said meanwhile.
      await turn();
    }
  }

  /** Takes what others ask for. */
  take(most: number): Waiting[] {
    return this.#service?.take(most) ?? [];
  }

  /** Tells those who asked. */
  published({ commits, tip: { commit, state } }: Group): void {
    if (this.#client !== null && commit !== null) this.#client.standpoint = { commit, state };
    if (!this.#service?.isOpen) return;
    for (const landed of commits) this.#service.remember(landed.commit, landed.state);
    this.#service.answer();
  }

  /** Leaves what was taken and is not settled to those who asked. @returns what that is. */
  giveBack(): ReadonlySet<Waiting> {
    return this.#service?.giveBack() ?? new Set();
  }

  /** Call it before the mutex is released. */
  endService(): void {
    this.#service?.close();
  }

  /** Ends what is done for others soon. */
  stop(): void {
    this.#closing = true;
    this.#service?.nudge();
  }

  /** Asks no more. */
  close(): void {
    this.#client?.close();
  }

  async #makeClient(): Promise<Client> {
    const [{ Client }, settings] = await Promise.all([import('./client.ts'), this.#settings()]);
    return new Client(this.#engine, { path: this.#path, settings, landedAs: this.#landedAs });
  }

  async #makeService(): Promise<Service> {
    const [{ Service }, settings] = await Promise.all([import('./service.ts'), this.#settings()]);
    return new Service({ env: this.#engine.env, settings });
  }

  async #settings(): Promise<string> {
    const { settingsOf } = await import('./settings.ts');
    return settingsOf(this.#engine, this.#landedAs);
  }
}

/** Names of sockets are short everywhere, and of another kind on Windows: there each waits for its turn. */
function canBeSocket(path: string): boolean {
  return platform() !== 'win32' && Buffer.byteLength(path) <= 100;
}
