import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GitStateError } from '../errors.ts';

export interface DocumentOptions {
  /** Where a relative path begins. */
  cwd: string;
  /** What people call it, such as `plan`. */
  what: string;
  /** One line about what it has to look like. */
  shape: string;
  /** Whether what stands under these keys is text, even where it looks like a number: `id: 001` is '001'. */
  isText(keys: readonly string[]): boolean;
}

/** Reads JSON or YAML from a file, or from standard input for `-`. @throws INVALID_INPUT */
export async function readDocument(file: string, options: DocumentOptions): Promise<unknown> {
  const source = await readSource(file, options);
  return looksLikeJson(file, source) ? parseJson(source, options) : parseYaml(source, options);
}

async function readSource(file: string, { cwd, what }: DocumentOptions): Promise<string> {
  try {
    const bytes = file === '-' ? await readStandardInput() : await readFile(resolve(cwd, file));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new GitStateError('INVALID_INPUT', `cannot read the ${what} '${file}': ${reasonOf(error)}`, {
      hint: 'give a file, or - for standard input',
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is no UTF-8' : String(code);
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function looksLikeJson(file: string, source: string): boolean {
  return /\.json$/i.test(file) || /^\s*[{[]/.test(source);
}

function parseJson(source: string, { what, shape }: DocumentOptions): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new GitStateError('INVALID_INPUT', `the ${what} is no valid JSON: ${(error as Error).message}`, {
      hint: shape,
    });
  }
}

/** YAML 1.2. */
async function parseYaml(source: string, { what, shape, isText }: DocumentOptions): Promise<unknown> {
  const { isMap, isScalar, parseDocument, visit } = await import('./yaml.ts');
  const invalid = (message: string) =>
    new GitStateError('INVALID_INPUT', `the ${what} is no valid YAML: ${message}`, { hint: shape });
  const document = parseDocument(source, { version: '1.2', uniqueKeys: true });
  const fault = document.errors[0];
  if (fault) throw invalid(fault.message.split('\n')[0]!);
  visit(document, {
    Scalar(place, node, path) {
      if (place === 'key' || typeof node.value !== 'number' || node.source === undefined) return;
      const keys = path.flatMap((one) => ('key' in one && isScalar(one.key) ? [String(one.key.value)] : []));
      if (isMap(document.contents) && isText(keys)) node.value = node.source;
    },
  });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid((error as Error).message);
  }
}
