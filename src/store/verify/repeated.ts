import { type History, readCommit } from '../commits.ts';

/** As many as fit into a command line with ease. */
const idsMax = 500;

/** Those of `ids` under which an operation stands in the history of `tip` already. */
export async function repeatedIds(
  { reader, repository }: History,
  tip: string,
  ids: readonly string[],
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < ids.length; at += idsMax) {
    const some = ids.slice(at, at + idsMax);
    const greps = some.map((id) => `--grep=gitstate-id: ${id}`);
    const args = ['rev-list', '--first-parent', '--fixed-strings', ...greps, '--end-of-options', tip];
    const { stdout } = await repository.git.run(args, { okStatuses: [0, 128] });
    // The text may stand anywhere in a message, or be the beginning of a longer id.
    for (const oid of stdout.toString().split('\n').slice(0, -1)) {
      const id = /^gitstate-id: (.*)$/m.exec((await readCommit(reader, oid))?.message ?? '')?.[1];
      if (id !== undefined && some.includes(id)) found.add(id);
    }
  }
  return found;
}
