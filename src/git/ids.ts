/** Name of an object: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. */
export type Oid = string;

/** Hash function of a repository, which fixes the length of its object names. */
export type ObjectFormat = 'sha1' | 'sha256';

const oidLengths = { sha1: 40, sha256: 64 } as const;

/** Length of an object name in hexadecimal digits. */
export function oidLength(format: ObjectFormat): number {
  return oidLengths[format];
}

/** Whether `text` is a whole object name, of `format` where one is given. */
export function isOid(text: string, format?: ObjectFormat): boolean {
  if (format !== undefined && text.length !== oidLengths[format]) return false;
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** The name of no object, by which Git says "does not exist". */
export function zeroOid(format: ObjectFormat): Oid {
  return '0'.repeat(oidLengths[format]);
}

/** What git-check-ref-format(1) forbids anywhere in a name: controls, space, `~^:?*[\`, `..`, `@{`, and a part
 *  that is empty, starts with a dot, or ends in `.lock`. */
const forbiddenInRef = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/(?:\/|\.|$)|\.lock(?:\/|$)|\.$/;

/** Whether `name` is a full ref name, such as `refs/heads/main`, by the rules of git-check-ref-format(1). */
export function isFullRefName(name: string): boolean {
  return /^refs\/[^/]+\/./.test(name) && name.length <= 1024 && !forbiddenInRef.test(name);
}
