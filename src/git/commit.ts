import { type Charset, HeaderReader, requireExtraHeaders, requireMessage } from './headers.ts';
import { isOid } from './ids.ts';
import type { Oid } from './objects.ts';
import { encodeSignature, type Signature } from './signature.ts';

export interface Commit {
  tree: Oid;
  parents: readonly Oid[];
  author: Signature;
  committer: Signature;
  /** Further headers as they stand, such as `gpgsig`, each line with its line feed; empty as a rule. */
  extraHeaders?: string;
  message: string;
  /** `latin1` where the bytes are not UTF-8, so that none is lost; `utf8` by default. */
  charset?: Charset;
}

function requireOid(oid: Oid): Oid {
  if (!isOid(oid)) throw new TypeError(`no object name: '${oid}'`);
  return oid;
}

/** The body of a commit. @throws TypeError for a value that would break the format. */
export function encodeCommit(commit: Commit): Buffer {
  const { tree, parents, author, committer, extraHeaders = '', message, charset = 'utf8' } = commit;
  requireExtraHeaders(extraHeaders);
  requireMessage(message);
  const headers = [
    `tree ${requireOid(tree)}\n`,
    ...parents.map((parent) => `parent ${requireOid(parent)}\n`),
    `author ${encodeSignature(author)}\n`,
    `committer ${encodeSignature(committer)}\n`,
    extraHeaders,
  ];
  return Buffer.from(`${headers.join('')}\n${message}`, charset);
}

/** Reads a commit; `encodeCommit` gives the same bytes again. @throws CORRUPT_STATE if it is malformed. */
export function decodeCommit(body: Buffer): Required<Commit> {
  const headers = new HeaderReader('commit', body);
  const tree = headers.require('tree', isOid);
  const parents: Oid[] = [];
  while (headers.nextIs('parent')) parents.push(headers.require('parent', isOid));
  return {
    tree,
    parents,
    author: headers.signature('author'),
    committer: headers.signature('committer'),
    extraHeaders: headers.rest(),
    message: headers.message,
    charset: headers.charset,
  };
}
