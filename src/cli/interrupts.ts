export type StopSignal = 'SIGINT' | 'SIGTERM';

export const signalStatuses: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 };

/** What happens on Ctrl-C and on a request to end: the process ends, unless a command has taken it into its hands. */
export class Interrupts {
  #handler: ((signal: StopSignal) => void) | null = null;

  constructor(exit: (status: number) => void) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (this.#handler) this.#handler(signal);
        else exit(signalStatuses[signal]);
      });
    }
  }

  /** From now on `handler` is told of signals. */
  take(handler: (signal: StopSignal) => void): void {
    this.#handler = handler;
  }
}
