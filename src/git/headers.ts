import { malformed, type ObjectType } from './objects.ts';
import { decodeSignature, type Signature } from './signature.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How the text of a commit or tag is turned into bytes; `latin1` stands for bytes that are not UTF-8. */
export type Charset = 'utf8' | 'latin1';

/** Reads the headers of a commit or tag from the top, one after the other. */
export class HeaderReader {
  readonly charset: Charset;
  readonly message: string;
  readonly #type: ObjectType;
  readonly #lines: string[];
  #at = 0;

  constructor(type: ObjectType, body: Buffer) {
    this.#type = type;
    const { text, charset } = decodeText(body);
    const end = text.indexOf('\n\n');
    if (end === -1) throw malformed(type, 'no end of the headers');
    if (text.includes('\0')) throw malformed(type, 'a NUL byte');
    this.charset = charset;
    this.message = text.slice(end + 2);
    this.#lines = text.slice(0, end).split('\n');
  }

  nextIs(name: string): boolean {
    return this.#lines[this.#at]?.startsWith(`${name} `) ?? false;
  }

  /** The value of the next header, which has to be `name`. */
  require(name: string, isValid: (value: string) => boolean = () => true): string {
    const value = this.nextIs(name) ? this.#lines[this.#at]!.slice(name.length + 1) : undefined;
    if (value === undefined || !isValid(value)) throw malformed(this.#type, `header '${name}'`);
    this.#at += 1;
    return value;
  }

  signature(name: string): Signature {
    const signature = decodeSignature(this.require(name));
    if (signature === null) throw malformed(this.#type, `header '${name}'`);
    return signature;
  }

  /** All headers that were not taken, as they stand, each with its line feed. */
  rest(): string {
    const lines = this.#lines.slice(this.#at);
    const extra = lines.map((line) => `${line}\n`).join('');
    if (!headerLines.test(extra)) throw malformed(this.#type, 'a line that is no header');
    return extra;
  }
}

function decodeText(body: Buffer): { text: string; charset: Charset } {
  try {
    return { text: utf8.decode(body), charset: 'utf8' };
  } catch {
    return { text: body.toString('latin1'), charset: 'latin1' };
  }
}

/** Header lines, each perhaps followed by lines that continue it. */
const headerLines = /^(?:[^\s\0]+ [^\n\0]*\n(?: [^\n\0]*\n)*)*$/;

/** Refuses what is not whole header lines. */
export function requireExtraHeaders(extra: string): void {
  if (headerLines.test(extra)) return;
  throw new TypeError(`no header lines: ${JSON.stringify(extra)}`);
}

/** Refuses a message that cannot stand in a commit or tag. */
export function requireMessage(message: string): void {
  if (message.includes('\0')) throw new TypeError('a message holds a NUL character');
}
