import * as z from 'zod';

/** The one rule for every id. Ids become file names and parts of ref names, on case-insensitive disks too. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const deviceName = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/** Says what is wrong with `text` as an id of at most `lengthMax` characters; null when nothing is. */
export function idFault(text: string, lengthMax = 128): string | null {
  if (text.length === 0) return 'is empty';
  if (text.length > lengthMax) return `is longer than ${lengthMax} characters`;
  if (!idPattern.test(text)) return 'may hold only A-Z a-z 0-9 . _ - and starts with a letter or digit';
  if (text.includes('..')) return "may not hold '..'";
  if (text.endsWith('.') || text.toLowerCase().endsWith('.lock')) return "may not end in '.' or '.lock'";
  if (deviceName.test(text)) return 'is a device name on some systems';
  return null;
}

function idSchema() {
  return z.string().superRefine((text, context) => {
    const fault = idFault(text);
    if (fault) context.addIssue({ code: 'custom', message: `'${text.slice(0, 40)}' ${fault}` });
  });
}

export const SessionId = idSchema().brand('SessionId');
export const FeatureId = idSchema().brand('FeatureId');
export const WorkerId = idSchema().brand('WorkerId');
export const StepName = idSchema().brand('StepName');
export const OperationId = idSchema().brand('OperationId');
export const PresetName = idSchema().brand('PresetName');
/** Names that people give keep to the id rule; automatic ones join a feature and a step, so they may be longer and
 *  end in `~2` where two features would share one. */
export const CheckpointName = z
  .string()
  .superRefine((text, context) => {
    const fault = idFault(text.replace(/~[1-9]\d*$/, ''), 280);
    if (fault) context.addIssue({ code: 'custom', message: `'${text.slice(0, 40)}' ${fault}` });
  })
  .brand('CheckpointName');

export type SessionId = z.infer<typeof SessionId>;
export type FeatureId = z.infer<typeof FeatureId>;
export type WorkerId = z.infer<typeof WorkerId>;
export type StepName = z.infer<typeof StepName>;
export type OperationId = z.infer<typeof OperationId>;
export type PresetName = z.infer<typeof PresetName>;
export type CheckpointName = z.infer<typeof CheckpointName>;

/** A Git object id, SHA-1 or SHA-256. */
export const Oid = z
  .string()
  .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'is no object id')
  .brand('Oid');
export type Oid = z.infer<typeof Oid>;

/** SHA-256 of the random part of a claim's token; the token itself never stands on the branch. */
export const ClaimId = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'is no claim id')
  .brand('ClaimId');
export type ClaimId = z.infer<typeof ClaimId>;

/** The key under which ids are unique: their letters without case. */
export function keyOf(id: string): string {
  return id.toLowerCase();
}

/** Orders ids as people read them: runs of digits by value, everything else by code point; `1` before `01`. */
export function compareNatural(left: string, right: string): number {
  let a = 0;
  let b = 0;
  while (a < left.length && b < right.length) {
    const digits = digitsFrom(left, a);
    const others = digitsFrom(right, b);
    const order =
      digits > 0 && others > 0
        ? compareDigits(left.slice(a, a + digits), right.slice(b, b + others))
        : left.codePointAt(a)! - right.codePointAt(b)!;
    if (order !== 0) return order;
    // Equal so far: both go on by the same length.
    const length = digits || (left.codePointAt(a)! > 0xffff ? 2 : 1);
    a += length;
    b += length;
  }
  return left.length - a - (right.length - b);
}

/** How many digits stand in `text` from `start` on. */
function digitsFrom(text: string, start: number): number {
  let end = start;
  while (isDigit(text.charCodeAt(end))) end += 1;
  return end - start;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function compareDigits(a: string, b: string): number {
  const value = a.replace(/^0+(?=.)/, '');
  const other = b.replace(/^0+(?=.)/, '');
  return value.length - other.length || compareCodePoints(value, other) || a.length - b.length;
}

export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const order = rankOf(a.charCodeAt(index)) - rankOf(b.charCodeAt(index));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Halves of characters beyond U+FFFF come after everything up to it. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
