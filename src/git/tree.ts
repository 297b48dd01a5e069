import { isOid, type ObjectFormat, oidLength } from './ids.ts';
import { malformed, type Oid } from './objects.ts';

export interface TreeEntry {
  /** Octal, as Git writes it: `100644`, `100755`, `120000`, `40000` (a tree) or `160000`. */
  mode: string;
  name: string;
  oid: Oid;
}

const modes = new Set(['100644', '100755', '100664', '120000', '40000', '160000']);

/** Git orders by bytes, a tree as if its name ended in a slash. UTF-16 differs from that only beyond U+D7FF. */
function sortKey({ mode, name }: TreeEntry): string {
  return mode === '40000' ? `${name}/` : name;
}

function compareKeys(a: string, b: string): number {
  if (/[\ud800-\uffff]/.test(a) || /[\ud800-\uffff]/.test(b))
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

function isUsableName(name: string): boolean {
  return name !== '' && !/[/\0]|\p{Surrogate}|^\.{1,2}$|^\.git$/iu.test(name);
}

function requireEntry({ mode, name, oid }: TreeEntry): void {
  if (!modes.has(mode)) throw new TypeError(`no mode of a tree entry: '${mode}'`);
  if (!isUsableName(name)) throw new TypeError(`no name of a tree entry: '${name}'`);
  if (!isOid(oid)) throw new TypeError(`no object name: '${oid}'`);
}

/** The body of a tree. Entries may come in any order.
 *  @throws TypeError for an entry that Git would refuse or a name that stands twice. */
export function encodeTree(entries: readonly TreeEntry[]): Buffer {
  const keyed = entries.map((entry) => ({ entry, key: sortKey(entry) }));
  keyed.sort((a, b) => compareKeys(a.key, b.key));
  const names = new Set<string>();
  const parts: Buffer[] = [];
  for (const { entry } of keyed) {
    requireEntry(entry);
    if (names.has(entry.name)) throw new TypeError(`two tree entries of the name '${entry.name}'`);
    names.add(entry.name);
    parts.push(Buffer.from(`${entry.mode} ${entry.name}\0`), Buffer.from(entry.oid, 'hex'));
  }
  return Buffer.concat(parts);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed('tree', 'a name is not UTF-8');
  }
}

/** The entries of a tree, in Git's order. `encodeTree` gives the same bytes again.
 *  @throws CORRUPT_STATE for anything that is not a well-formed tree. */
export function decodeTree(format: ObjectFormat, body: Buffer): TreeEntry[] {
  const oidBytes = oidLength(format) / 2;
  const entries: TreeEntry[] = [];
  const names = new Set<string>();
  let previous = '';
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const end = space === -1 ? -1 : body.indexOf(0, space);
    const next = end + 1 + oidBytes;
    if (end === -1 || next > body.length) throw malformed('tree', 'an entry is cut off');
    const mode = body.toString('latin1', at, space);
    const name = decodeName(body.subarray(space + 1, end));
    if (!modes.has(mode)) throw malformed('tree', `mode '${mode}'`);
    if (!isUsableName(name)) throw malformed('tree', `name '${name}'`);
    const entry = { mode, name, oid: body.toString('hex', end + 1, next) };
    const key = sortKey(entry);
    if (entries.length > 0 && compareKeys(previous, key) >= 0)
      throw malformed('tree', `'${name}' out of order`);
    if (names.has(name)) throw malformed('tree', `two entries of the name '${name}'`);
    names.add(name);
    entries.push(entry);
    previous = key;
    at = next;
  }
  return entries;
}
