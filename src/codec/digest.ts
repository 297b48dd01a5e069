/** The last trailer of a message is a digest of the commit as it would be without that line: its tree, parents, author,
 *  committer and message. Git's own object ids say that a history is what its tip names; the digest says that nobody
 *  wrote a commit anew with one byte changed and hung the rest behind it. It is no signature: who wants to can write a
 *  new one, and then the trees must agree as well. */

const pattern = /(?<=\n)gitstate-digest: ([0-9a-f]{64})\n$/;

export interface DigestedMessage {
  /** The message without the line. */
  message: string;
  /** 64 hexadecimal digits; null where there is no such line. */
  digest: string | null;
}

export function splitDigest(message: string): DigestedMessage {
  const match = pattern.exec(message);
  return match ? { message: message.slice(0, match.index), digest: match[1]! } : { message, digest: null };
}

export function joinDigest(message: string, digest: string): string {
  return `${message}gitstate-digest: ${digest}\n`;
}
