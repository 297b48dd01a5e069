import { escapeControls, describe as subjectOf } from '../core/describe.ts';
import type { JsonValue } from '../core/json.ts';
import { Operation, operationTypes } from '../core/operation.ts';
import { instantOf } from '../core/time.ts';
import { GitStateError } from '../errors.ts';
import { splitDigest } from './digest.ts';
import { currentSchema, migrateArgs, type Schema, schemaTooNew } from './migrate.ts';

/** Arguments beyond this many bytes of JSON stand in the commit's tree instead of its message. */
export const inlineArgsMax = 16 * 1024;
/** Largest part of a payload, in bytes. */
export const payloadPartMax = 8 * 1024 * 1024;

const prefix = 'gitstate-';
/** 9999-12-31T23:59:59Z, the last time that ISO 8601 writes with four digits for the year. */
const lastSecond = 253_402_300_799;

/** The arguments of an operation as one line of JSON, in which no character can end a line or hide text. */
export function encodeArgs({ args }: { args: unknown }): string {
  return escapeControls(JSON.stringify(args));
}

/** Whether arguments are too large to stand in the message. */
export function needsPayload(argsText: string): boolean {
  return Buffer.byteLength(argsText) > inlineArgsMax;
}

/** The message of an operation's commit, without its digest: a subject and real Git trailers.
 *  @param payload tree that holds the arguments where they are too large to stand here.
 *  @param schema in which the arguments are written. */
export function encodeMessage(
  operation: Operation,
  argsText: string,
  payload: string | null,
  schema: number = currentSchema.version,
): string {
  const trailers: [string, string][] = [['op', operation.type]];
  if (operation.session !== null) trailers.push(['session', operation.session]);
  const { feature, worker } = named(operation);
  if (feature !== undefined) trailers.push(['feature', feature]);
  if (worker !== undefined) trailers.push(['worker', worker]);
  trailers.push(['id', operation.id]);
  if (operation.request !== null) trailers.push(['request', operation.request]);
  trailers.push(['schema', String(schema)]);
  trailers.push(payload === null ? ['args', argsText] : ['args-oid', payload]);
  const lines = trailers.map(([key, value]) => `${prefix}${key}: ${value}`);
  return `${subjectOf(operation)}\n\n${lines.join('\n')}\n`;
}

/** The feature and the worker that an operation names, if it names one. */
export function named(operation: Operation): { feature?: string; worker?: string } {
  const { feature, worker } = operation.args as { feature?: string; worker?: string };
  return { feature, worker };
}

export interface MessageParts {
  subject: string;
  trailers: ReadonlyMap<string, string>;
}

/** Splits a message into its subject and our trailers; null when it is not ours (no line begins with `gitstate-`).
 *  @throws VERIFY_FAILED where it claims to be ours and is malformed. */
export function splitMessage(message: string): MessageParts | null {
  const lines = message.split('\n');
  if (!lines.some((line) => line.startsWith(prefix))) return null;
  const [subject = '', blank, ...rest] = lines;
  const trailers = new Map<string, string>();
  const body = rest.at(-1) === '' ? rest.slice(0, -1) : rest;
  for (const line of body) {
    const match = /^gitstate-([a-z-]+): (.*)$/.exec(line);
    if (!match || trailers.has(match[1]!)) throw malformed(`line '${line.slice(0, 60)}'`);
    trailers.set(match[1]!, match[2]!);
  }
  if (blank !== '' || body.length === 0) throw malformed('no blank line after the subject');
  return { subject, trailers };
}

/** Reads an operation back from its commit. The digest is passed over: it is about the whole commit.
 *  @param loadPayload gives the arguments text of a payload tree.
 *  @returns null for a commit that is not ours. @throws VERIFY_FAILED, SCHEMA_TOO_NEW */
export function decodeMessage(
  message: string,
  author: { name: string; at: number },
  loadPayload: (tree: string) => string,
  schema: Schema = currentSchema,
): Operation | null {
  const text = splitDigest(message).message;
  const parts = splitMessage(text);
  if (!parts) return null;
  const { trailers } = parts;
  const type = trailers.get('op') ?? '';
  const stored = requireKnownSchema(trailers.get('schema'), type, schema);
  const payload = trailers.get('args-oid');
  const argsText = payload === undefined ? trailers.get('args') : loadPayload(payload);
  if (author.at > lastSecond) throw malformed(`time ${author.at}`);
  const args = parseArgs(argsText);
  const result = Operation.safeParse({
    type,
    session: trailers.get('session') ?? null,
    actor: author.name,
    at: instantOf(author.at * 1000),
    id: trailers.get('id'),
    request: trailers.get('request') ?? null,
    args: migrateArgs(schema, stored, type, args),
  });
  if (!result.success) {
    const issue = result.error.issues[0];
    throw malformed(`${issue?.path.join('.')}: ${issue?.message}`);
  }
  // What an older schema made of arguments is known to that one alone: then only their form is looked at.
  const encodedArgs = encodeArgs(stored === schema.version ? result.data : { args });
  if (encodedArgs !== argsText) throw malformed('its arguments are not in their canonical form');
  if (needsPayload(encodedArgs) !== (payload !== undefined)) throw malformed('arguments in the wrong place');
  const encoded = encodeMessage(result.data, encodedArgs, payload ?? null, stored);
  if (encoded !== text) throw malformed('subject, trailers and arguments do not agree');
  return result.data;
}

/** @returns the schema in which the operation is written. */
function requireKnownSchema(text: string | undefined, type: string, schema: Schema): number {
  const stored = Number(text);
  if (Number.isInteger(stored) && stored > schema.version) throw schemaTooNew('an operation', stored, schema);
  if (!Number.isInteger(stored) || stored < 1 || String(stored) !== text) throw malformed(`schema '${text}'`);
  if (!operationTypes.some((known) => known === type)) throw malformed(`operation '${type}'`);
  return stored;
}

function parseArgs(text: string | undefined): JsonValue {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw malformed('arguments are no JSON');
  }
}

function malformed(what: string): GitStateError {
  return new GitStateError('VERIFY_FAILED', `the commit message was not written by gitstate: ${what}`, {
    hint: 'git state verify',
  });
}
