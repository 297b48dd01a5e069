/** Who did something and when, as in the headers of commits and tags. */
export interface Signature {
  name: string;
  email: string;
  /** Whole seconds since 1970, UTC. */
  at: number;
  /** Offset from UTC, such as `+0000` or `-0330`. */
  timezone: string;
}

const pattern = /^([^<>\n\0]*) <([^<>\n\0]*)> (0|[1-9]\d{0,15}) ([+-]\d{4})$/;

/** `Name <email> 1700000000 +0000`.
 *  @throws TypeError for what would break the header, such as a line feed or an angle bracket in a name. */
export function encodeSignature({ name, email, at, timezone }: Signature): string {
  const text = `${name} <${email}> ${at} ${timezone}`;
  if (!pattern.test(text)) throw new TypeError(`no signature of a commit or tag: ${JSON.stringify(text)}`);
  return text;
}

/** Reads what `encodeSignature` writes; null for anything else. */
export function decodeSignature(text: string): Signature | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, name = '', email = '', at, timezone = ''] = match;
  return { name, email, at: Number(at), timezone };
}
