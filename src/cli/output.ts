import type { GitStateError } from '../errors.ts';
import { type Colors, colorsOf, oneLine, visible } from './text.ts';
import { localTime } from './views/time.ts';

/** How results are written: for people on a terminal, one record a line for a pipe, or JSON. */
export type Format = 'human' | 'plain' | 'json';

export interface OutputOptions {
  json: boolean;
  quiet: boolean;
  color: boolean;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  variables: Readonly<Record<string, string | undefined>>;
}

/** What a view for people has to know about the terminal. */
export interface Ui {
  readonly colors: Colors;
  readonly columns: number;
  readonly nowMs: number;
}

/** Results go to stdout, everything else to stderr. A reader that went away is no error: the rest is dropped. */
export class Output {
  readonly format: Format;
  readonly quiet: boolean;
  readonly colors: Colors;
  /** Whether lines can be drawn over. */
  readonly live: boolean;
  /** Whether the reader of stdout is gone. */
  closed = false;
  /** Takes what is drawn in place off the terminal while something else is written. */
  aroundAside: (write: () => void) => void = (write) => write();
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;
  readonly #errorColors: Colors;
  readonly #forced: number;

  constructor({ json, quiet, color, stdout, stderr, variables }: OutputOptions) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    const forced = Number.parseInt(variables.GITSTATE_FORCE_TTY ?? '', 10) || 0;
    const terminal = stdout.isTTY === true || forced > 0;
    this.format = json ? 'json' : terminal ? 'human' : 'plain';
    this.quiet = quiet;
    this.#forced = forced;
    const wanted = color && !variables.NO_COLOR && variables.TERM !== 'dumb';
    this.live = this.format === 'human' && stdout.isTTY === true && variables.TERM !== 'dumb';
    this.colors = colorsOf(wanted && stdout.isTTY === true);
    this.#errorColors = colorsOf(wanted && stderr.isTTY === true);
    stdout.on('error', () => {
      this.closed = true;
    });
    stderr.on('error', () => {});
  }

  /** Width of the terminal, which may change. */
  get columns(): number {
    return this.#forced || this.#stdout.columns || 80;
  }

  /** Height of the terminal, which may change. */
  get rows(): number {
    return this.#stdout.rows || 24;
  }

  /** Writes to stdout as it is. */
  write(text: string | Uint8Array): void {
    if (!this.closed) this.#stdout.write(text);
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** One record a line: fields are separated by tabs, and none of them can hold one. */
  record(fields: readonly Field[]): void {
    this.line(
      fields.map((field) => (field === null || field === undefined ? '' : visible(String(field)))).join('\t'),
    );
  }

  /** One JSON object in one line. */
  object(value: object): void {
    this.line(JSON.stringify({ schema_version: 1, ...value }));
  }

  warning(message: string): void {
    if (this.quiet) return;
    this.aroundAside(() => {
      this.#stderr.write(`${this.#errorColors.yellow('warning:')} ${oneLine(message)}\n`);
    });
  }

  error(error: GitStateError): void {
    if (this.format === 'json') {
      this.#stderr.write(`${JSON.stringify({ schema_version: 1, error: error.toJSON() })}\n`);
      return;
    }
    const { red, cyan } = this.#errorColors;
    this.#stderr.write(`${red('error:')} ${oneLine(inLocalTime(error))} (${error.code})\n`);
    if (error.hint !== null) this.#stderr.write(`${cyan('hint:')} ${oneLine(error.hint)}\n`);
  }

  /** Text for people that belongs to no result. */
  aside(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  /** Resolves once stdout can take more, so that a long answer is not kept in memory. */
  async ready(): Promise<void> {
    if (this.closed || !this.#stdout.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      this.#stdout
        .once('drain', resolve)
        .once('error', () => resolve())
        .once('close', resolve);
    });
  }

  /** Resolves once everything is written, or can no longer be. */
  async flush(): Promise<void> {
    const written = (stream: NodeJS.WriteStream) =>
      new Promise<void>((resolve) => {
        if (stream.destroyed) resolve();
        else stream.write('', () => resolve());
      });
    await Promise.all([written(this.#stdout), written(this.#stderr)]);
  }
}

export type Field = string | number | boolean | null | undefined;

/** What a command answers, ready for each format. */
export interface Answer {
  /** What `--json` prints, without the envelope. */
  value: object;
  /** Lines for people. */
  human(ui: Ui): string[];
  /** Records for a pipe, id first. */
  plain: readonly (readonly Field[])[];
  exitStatus?: number;
  /** Printed in spite of `--quiet`, because the command is run for it. */
  essential?: boolean;
}

export function print(output: Output, answer: Answer, nowMs: number): void {
  if (output.format === 'json') output.object(answer.value);
  else if (output.quiet && !answer.essential) return;
  else if (output.format === 'plain') for (const fields of answer.plain) output.record(fields);
  else
    for (const line of answer.human({ colors: output.colors, columns: output.columns, nowMs }))
      output.line(line);
}

/** The message with the end of a lease as people read the clock. */
function inLocalTime({ message, details }: GitStateError): string {
  const { expires_at: end } = details;
  return typeof end === 'string' ? message.replace(end, localTime(end)) : message;
}
