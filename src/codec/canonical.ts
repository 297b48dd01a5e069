/** The one way to write JSON on the branch: two-space indent, fixed key order, a newline at the end. Key order is that
 *  of the schema that parsed the value; the keys of users' own JSON are sorted when they come in. */
export function canonicalJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
