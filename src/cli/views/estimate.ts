/** How long the rest will take, judged by what was finished since somebody began to look. */
export class Estimate {
  #begin: { atMs: number; done: number } | null = null;

  /** @returns milliseconds, or null as long as nothing was finished. */
  leftMs({ atMs, done, open }: { atMs: number; done: number; open: number }): number | null {
    this.#begin ??= { atMs, done };
    const finished = done - this.#begin.done;
    const elapsedMs = atMs - this.#begin.atMs;
    return finished > 0 && elapsedMs > 0 && open > 0 ? (open * elapsedMs) / finished : null;
  }
}
