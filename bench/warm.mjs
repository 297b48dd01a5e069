import { Floor, sizesOf, templateOf } from './floor.mjs';
import { interleave } from './interleave.mjs';
import { JqFile } from './jq.mjs';
import { Plumbing } from './plumbing.mjs';
import { Porcelain } from './porcelain.mjs';
import { featureId, makeRepository, openFilledStore, steps } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const features = 1000;
/** The compiler takes hundreds of calls until it has seen what is hot; a process that runs for hours has that behind it. */
const heating = { rounds: 0, warmups: 150 };
const warmups = 4;

/** One mutation in a process that runs already, beside the floor, naive porcelain, forked plumbing and `jq`. */
export async function warmMutation({ directory, short }) {
  const rounds = short ? 60 : 240;
  const plain = await setUp(directory, { durable: false, rounds });
  const durable = await setUp(directory, { durable: true, rounds });
  try {
    const tables = [
      await measure('warm mutation', plain, { rounds }),
      await measure('warm mutation, durable', durable, { rounds }),
      await compareDurability(plain, durable, { rounds: rounds / 2 }),
    ];
    for (const bed of [plain, durable]) bed.check();
    return tables;
  } finally {
    for (const bed of [plain, durable]) await bed.close();
  }
}

/** A repository with everything that is to be measured in it. */
async function setUp(directory, { durable, rounds }) {
  const name = durable ? 'durable' : 'plain';
  const repository = makeRepository(directory, name, { durable });
  const store = await openFilledStore(repository.path, { features });
  const nextStep = await claimedSteps(store, { wanted: heating.warmups + warmups + rounds + 2 });
  let updates = 0;
  const stepDone = () => store.stepDone(nextStep());
  const update = () => {
    updates += 1;
    return store.update({ feature: featureId(features - 1 - (updates % 500)), data: { n: updates } });
  };
  // The first one after a big plan drops the plan's payload; the second is like all others.
  await stepDone();
  await stepDone();
  const template = templateOf(repository, await store.tip());
  const floor = new Floor(repository, template, { branch: 'floor', durable });
  let floors = 0;
  return {
    template,
    stepDone,
    update,
    floor: () => {
      floors += 1;
      return floor.mutate();
    },
    porcelain: new Porcelain(repository, { durable }),
    plumbing: new Plumbing(repository),
    jq: JqFile.isInstalled && !durable ? new JqFile(`${repository.path}-jq`, await store.list()) : null,
    check() {
      const made = Number(repository.git(['rev-list', '--count', `${template.at(-1).oid}^..floor`]));
      if (made !== floors) throw new Error(`the floor made ${made} commits instead of ${floors}`);
      repository.git(['fsck', '--connectivity-only', 'gitstate', 'floor']);
    },
    async close() {
      floor.close();
      await store.close();
    },
  };
}

/** Claims enough features, each for a worker of its own. @returns a function that names the next step to finish. */
async function claimedSteps(store, { wanted }) {
  const ids = Array.from({ length: Math.ceil(wanted / steps.length) }, (_, index) => featureId(index));
  await Promise.all(ids.map((feature) => store.claim({ feature, worker: `W-${feature}` })));
  const left = steps.flatMap((step) => ids.map((feature) => ({ feature, step, worker: `W-${feature}` })));
  return () => left.shift();
}

async function measure(title, bed, { rounds }) {
  const variants = [
    { name: 'gitstate stepDone', run: bed.stepDone },
    { name: 'gitstate update', run: bed.update },
    { name: 'floor', run: bed.floor },
    { name: 'porcelain: git add, git commit', run: () => bed.porcelain.mutate(), every: 4 },
    { name: 'plumbing, a process each', run: () => bed.plumbing.mutate(), every: 8 },
    ...(bed.jq ? [{ name: 'jq > tmp && mv, no history', run: () => bed.jq.mutate(), every: 8 }] : []),
  ];
  await interleave(variants.slice(0, 3), heating);
  const results = await interleave(variants, { rounds, warmups });
  const porcelain = results['porcelain: git add, git commit'];
  const rows = variants.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    to_floor: ratio(results[name], results.floor),
    porcelain_to_it: ratio(porcelain, results[name]),
    ...(name.startsWith('gitstate') ? { target: { key: 'to_floor', most: 1.25 } } : {}),
  }));
  return { title, rows, note: `the floor writes ${sizesOf(bed.template)} bytes` };
}

async function compareDurability(plain, durable, { rounds }) {
  const variants = [
    { name: 'gitstate update', run: plain.update },
    { name: 'gitstate update, durable', run: durable.update },
    { name: 'floor', run: plain.floor },
    { name: 'floor, durable', run: durable.floor },
  ];
  const results = await interleave(variants, { rounds, warmups });
  const rows = variants.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    to_plain: ratio(results[name], results[name.replace(', durable', '')]),
    ...(name === 'gitstate update, durable' ? { target: { key: 'to_plain', most: 1.5 } } : {}),
  }));
  return { title: 'what durability costs', rows };
}
