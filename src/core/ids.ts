import { z } from 'zod';

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
  const a = left.match(/\d+|\D+/g) ?? [];
  const b = right.match(/\d+|\D+/g) ?? [];
  for (let index = 0; index < a.length && index < b.length; index += 1) {
    const order = compareRuns(a[index]!, b[index]!);
    if (order !== 0) return order;
  }
  return a.length - b.length || compareCodePoints(left, right);
}

function compareRuns(a: string, b: string): number {
  const bothDigits = /^\d/.test(a) && /^\d/.test(b);
  if (!bothDigits) return compareCodePoints(a, b);
  const value = a.replace(/^0+(?=\d)/, '');
  const other = b.replace(/^0+(?=\d)/, '');
  return value.length - other.length || compareCodePoints(value, other) || a.length - b.length;
}

export function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  const left = [...a];
  const right = [...b];
  for (let index = 0; index < left.length && index < right.length; index += 1) {
    const order = left[index]!.codePointAt(0)! - right[index]!.codePointAt(0)!;
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
