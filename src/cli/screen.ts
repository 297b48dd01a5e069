import type { Output } from './output.ts';
import { clip } from './text.ts';

/** A view that is drawn over and over: on a terminal in place, elsewhere one below the other. */
export class Screen {
  readonly #output: Output;
  #shown = '';
  #open = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows `lines`; what is the same as before is not drawn again. */
  draw(lines: readonly string[]): void {
    const text = lines.join('\n');
    if (text === this.#shown) return;
    if (!this.#output.live) this.#output.write(`${this.#shown === '' ? '' : '\n'}${text}\n`);
    else {
      // The alternate screen: what stood on the terminal comes back in the end.
      if (!this.#open) this.#output.write('\u001b[?1049h');
      this.#open = true;
      const fitting = this.#fitting(lines).map((line) => clip(line, this.#output.columns));
      this.#output.write(`\u001b[H${fitting.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    }
    this.#shown = text;
  }

  /** The lines for which there is room above the cursor. */
  #fitting(lines: readonly string[]): readonly string[] {
    const room = Math.max(1, this.#output.rows - 1);
    if (lines.length <= room) return lines;
    return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more lines`];
  }

  /** Gives the terminal back, with the last view on it. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#output.write(`\u001b[?1049l${this.#shown}\n`);
  }
}
