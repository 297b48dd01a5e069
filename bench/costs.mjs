import { createHash } from 'node:crypto';
import { openStore } from '../dist/index.js';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, session, steps } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const few = 1000;
const many = 100_000;
const features = 500;
/** Entries of a sheet that is closed: 64 KiB of them, about. */
const sheetEntries = 250;

/** What a session costs with 100,000 entries of costs in it, beside one with 1,000; in a process that runs already. */
export async function costs({ directory, short }) {
  const rounds = short ? 20 : 160;
  const beds = [];
  try {
    for (const entries of [few, many]) beds.push(await setUp(directory, entries));
    const variants = ['cost add', 'cost add, one feature has them all', 'cost show', 'claim'].flatMap(
      (name) => beds.map((bed) => ({ name: `${name}, ${bed.entries} entries`, run: bed[name] })),
    );
    const results = await interleave(variants, { rounds, warmups: 20 });
    const rows = variants.map(({ name }) => {
      const base = results[name.replace(`${many} entries`, `${few} entries`)];
      return {
        variant: name,
        ...summary([...results[name].values()]),
        ...(results[name] === base
          ? {}
          : { to_few: ratio(results[name], base), target: { key: 'to_few', most: 1.5 } }),
      };
    });
    return [{ title: 'a session with many costs', rows }];
  } finally {
    for (const { store } of beds) await store.close();
  }
}

/** A store whose session `s` has that many entries spread over its features, and a session `one` in which one feature
 *  has as many. */
async function setUp(directory, entries) {
  const repository = makeRepository(directory, `costs-${entries}`, { durable: false });
  const store = await openStore({ cwd: repository.path, session });
  await store.init();
  const plan = Array.from({ length: features }, (_, index) => ({ id: featureId(index) }));
  for (const id of [session, 'one']) {
    await store.sessionStart({ session: id, steps, budgetFeature: 1e9, budgetDay: 1e9 });
    await store.planLoad({ session: id, features: plan });
  }
  spend(repository, session, sheetsOver(entries));
  spend(repository, 'one', sheetsOfOne(entries));
  const { total } = await store.costShow();
  if (total !== entries) throw new Error(`${entries} entries sum up to ${total}`);
  let count = 0;
  const addTo = (where, feature) => {
    count += 1;
    const spent = {
      amount: 1,
      step: steps[count % steps.length],
      operation: 'call',
      worker: `W${count % 9}`,
    };
    return store.costAdd({ session: where, feature, ...spent });
  };
  return {
    entries,
    store,
    'cost add': () => addTo(session, featureId(count % features)),
    'cost add, one feature has them all': () => addTo('one', featureId(0)),
    'cost show': () => store.costShow({ session }),
    claim: async () => {
      const feature = featureId(features - 1);
      const { token } = await store.claim({ session, feature, worker: 'W1' });
      await store.release({ session, feature, token });
    },
  };
}

const day = (number) => new Date(Date.UTC(2026, 0, 1 + number)).toISOString().slice(0, 10);
const entry = (number) => ({
  at: `${day(0)}T10:00:00Z`,
  amount: 1,
  tokens: { in: 1200, out: 300, cached: 0 },
  step: steps[number % steps.length],
  operation: `call-${number % 20}`,
  worker: `W${number % 9}`,
  key: null,
});
const sheet = (size, first) => Array.from({ length: size }, (_, index) => entry(first + index));

/** `entries` in files of features that take turns, on as many days as that takes. */
function* sheetsOver(entries) {
  const each = entries / features;
  for (let index = 0; index < features; index += 1) {
    yield { day: day(index % 30), file: featureId(index).toLowerCase(), entries: sheet(each, index * each) };
  }
}

/** `entries` of one feature on one day: in closed sheets, one after the other. */
function* sheetsOfOne(entries) {
  for (let part = 1; (part - 1) * sheetEntries < entries; part += 1) {
    const file = `${featureId(0).toLowerCase()}${part === 1 ? '' : `~${part}`}`;
    yield { day: day(0), file, entries: sheet(Math.min(sheetEntries, entries), part * sheetEntries) };
  }
}

/** Writes sheets as a commit by hand: operations would take minutes to spend so often. */
function spend({ git }, where, sheets) {
  const lines = [
    'commit refs/heads/gitstate',
    'committer A User <user@example.com> now',
    'data 5',
    'spend',
    'from refs/heads/gitstate^0',
  ];
  for (const { day, file, entries } of sheets) {
    const shard = createHash('sha256').update(file.split('~')[0]).digest('hex').slice(0, 2);
    const text = `${JSON.stringify({ entries }, null, 2)}\n`;
    lines.push(`M 100644 inline sessions/${where}/costs/${day}/${shard}/${file}.json`);
    lines.push(`data ${Buffer.byteLength(text)}`, text);
  }
  git(['fast-import', '--quiet', '--date-format=now'], `${lines.join('\n')}\n`);
}
