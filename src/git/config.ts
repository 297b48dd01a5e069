import { GitStateError } from '../errors.ts';

export interface ConfigEntry {
  /** Section and name in lower case, subsection as written: `remote.Origin.url`. */
  key: string;
  /** null where the key stands without `=`, which means true. */
  value: string | null;
  /** Where it was set, as Git says it: `file:/home/u/.gitconfig`, `command line:`. */
  origin: string;
}

const sizeUnits = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const;

/** Section and variable name are case-insensitive; what stands between the first and the last dot is not. */
function canonicalKey(key: string): string {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  if (first === -1) return key.toLowerCase();
  return key.slice(0, first).toLowerCase() + key.slice(first, last) + key.slice(last).toLowerCase();
}

/** Git's settings for one repository, read once. */
export class GitConfig {
  readonly entries: readonly ConfigEntry[];
  readonly #byKey = new Map<string, (string | null)[]>();

  constructor(entries: readonly ConfigEntry[]) {
    this.entries = entries;
    for (const { key, value } of entries) {
      const values = this.#byKey.get(key);
      if (values === undefined) this.#byKey.set(key, [value]);
      else values.push(value);
    }
  }

  /** Reads the output of `git config --list -z --show-origin`. */
  static parse(output: Buffer | string): GitConfig {
    const fields = output.toString().split('\0');
    const entries: ConfigEntry[] = [];
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [origin = '', setting = ''] = [fields[at], fields[at + 1]];
      const end = setting.indexOf('\n');
      const key = end === -1 ? setting : setting.slice(0, end);
      entries.push({ key: canonicalKey(key), value: end === -1 ? null : setting.slice(end + 1), origin });
    }
    return new GitConfig(entries);
  }

  /** Every value of `key`, in the order in which Git reads them; a key without value counts as `true`. */
  getAll(key: string): string[] {
    return (this.#byKey.get(canonicalKey(key)) ?? []).map((value) => value ?? 'true');
  }

  /** The value of `key` that holds: the last one. */
  get(key: string): string | undefined {
    return this.getAll(key).at(-1);
  }

  /** The value of `key` read as Git reads truth values. @throws INVALID_INPUT. */
  bool(key: string, fallback: boolean): boolean {
    const value = this.get(key)?.trim().toLowerCase();
    if (value === undefined) return fallback;
    if (/^(?:true|yes|on)$/.test(value)) return true;
    if (/^(?:false|no|off|)$/.test(value)) return false;
    if (/^[+-]?\d+$/.test(value)) return Number(value) !== 0;
    throw invalidSetting(key, value, 'true or false');
  }

  /** The value of `key` read as a whole number, with Git's suffixes k, m and g. @throws INVALID_INPUT. */
  int(key: string, fallback: number): number {
    const value = this.get(key)?.trim().toLowerCase();
    if (value === undefined) return fallback;
    const match = /^([+-]?\d+)([kmg]?)$/.exec(value);
    if (match === null) throw invalidSetting(key, value, 'a whole number');
    return Number(match[1]) * sizeUnits[match[2] as keyof typeof sizeUnits];
  }
}

function invalidSetting(key: string, value: string, wanted: string): GitStateError {
  return new GitStateError('INVALID_INPUT', `setting '${key}' is '${value}', not ${wanted}`, {
    hint: `see where it is set with \`git config --show-origin --get-all ${key}\``,
    details: { key, value },
  });
}
