import { type Charset, HeaderReader, requireExtraHeaders, requireMessage } from './headers.ts';
import { isOid } from './ids.ts';
import { type ObjectType, type Oid, objectTypes } from './objects.ts';
import { encodeSignature, type Signature } from './signature.ts';

/** An annotated tag. */
export interface Tag {
  object: Oid;
  type: ObjectType;
  /** Short name, such as `v1.0`. */
  tag: string;
  tagger: Signature;
  /** Further headers as they stand, each line with its line feed; empty as a rule. */
  extraHeaders?: string;
  message: string;
  charset?: Charset;
}

function isObjectType(text: string): text is ObjectType {
  return objectTypes.some((type) => type === text);
}

/** The body of an annotated tag. @throws TypeError for a value that would break the format. */
export function encodeTag({
  object,
  type,
  tag,
  tagger,
  extraHeaders = '',
  message,
  charset = 'utf8',
}: Tag): Buffer {
  if (!isOid(object)) throw new TypeError(`no object name: '${object}'`);
  if (!/^[^\s\0]+$/.test(tag)) throw new TypeError(`no name of a tag: '${tag}'`);
  requireExtraHeaders(extraHeaders);
  requireMessage(message);
  const headers = `object ${object}\ntype ${type}\ntag ${tag}\ntagger ${encodeSignature(tagger)}\n`;
  return Buffer.from(`${headers}${extraHeaders}\n${message}`, charset);
}

/** Reads an annotated tag; `encodeTag` gives the same bytes again. @throws CORRUPT_STATE if it is malformed. */
export function decodeTag(body: Buffer): Required<Tag> {
  const headers = new HeaderReader('tag', body);
  return {
    object: headers.require('object', isOid),
    type: headers.require('type', isObjectType) as ObjectType,
    tag: headers.require('tag', (name) => /^[^\s\0]+$/.test(name)),
    tagger: headers.signature('tagger'),
    extraHeaders: headers.rest(),
    message: headers.message,
    charset: headers.charset,
  };
}
