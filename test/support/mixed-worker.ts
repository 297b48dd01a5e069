import { isGitStateError } from '../../src/errors.ts';
import { openStore } from '../../src/index.ts';

/** Does one thing after the other, so many times or for ever; each is announced before and acknowledged after. What is
 *  refused says so: it must not have happened. */
const [cwd, name, count = 'Infinity'] = process.argv.slice(2);
const store = await openStore({ cwd: cwd!, session: 's', worker: name! });

async function say(what: string, act: () => Promise<unknown>): Promise<boolean> {
  process.stdout.write(`begin ${what}\n`);
  try {
    await act();
    process.stdout.write(`done ${what}\n`);
    return true;
  } catch (error) {
    if (!isGitStateError(error)) throw error;
    process.stdout.write(`${error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'refused'} ${what}\n`);
    return false;
  }
}

for (let n = 1; n <= Number(count); n += 1) {
  const feature = `${name}-${n}`;
  await say(`add:${feature}`, () => store.add({ feature }));
  await say(`note:${feature}`, () => store.note({ message: `note of ${feature}` }));
  const contested = `shared-${n}`;
  // Whoever is first adds it; all others are refused.
  await say(`add:${contested}`, () => store.add({ feature: contested }));
  let token: string | null = null;
  await say(`claim:${feature}`, async () => {
    token = (await store.claim({ feature })).token;
  });
  if (token === null) continue;
  await say(`beat:${feature}`, () => store.heartbeat({ feature, token: token! }));
  await say(`complete:${feature}`, () => store.complete({ feature, token: token! }));
}
await store.close();
