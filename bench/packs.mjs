import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../dist/index.js';
import { interleave } from './interleave.mjs';
import { featureId, makeRepository, openFilledStore, runChild, session } from './repository.mjs';
import { ratio, summary } from './stats.mjs';

const command = fileURLToPath(new URL('../dist/git-state.cjs', import.meta.url));
const features = 1000;
const codeBytes = 300 * 2 ** 20;
const fileBytes = 10_000;

/** The same mutation and the same command where Git keeps the state in other ways: object by object, in one pack, and
 *  in one pack with much code. */
export async function packs({ directory, short }) {
  const stores = [await place(directory, 'loose', unpack), await place(directory, 'packed', repack)];
  if (!short) stores.push(await place(directory, 'in a pack of 300 MiB', beside));
  try {
    const tables = [await warm(stores, short ? 40 : 160), await cold(stores, short ? 4 : 20)];
    const note = stores.map(({ name, sizes }) => `${name}: ${sizes}`).join('; ');
    return tables.map((table) => ({ ...table, note }));
  } finally {
    for (const { store } of stores) await store.close();
  }
}

async function place(directory, name, arrange) {
  const repository = makeRepository(directory, `packs-${name.replaceAll(' ', '-')}`, { durable: false });
  await (await openFilledStore(repository.path, { features })).close();
  arrange(repository);
  const counted = repository.git(['count-objects', '-v']);
  const of = (key) => Number(new RegExp(`^${key}: (\\d+)`, 'm').exec(counted)[1]);
  const sizes = `${of('count')} loose, ${of('in-pack')} in ${of('packs')} packs of ${Math.round(of('size-pack') / 1024)} MiB`;
  return { name, path: repository.path, sizes, store: await openStore({ cwd: repository.path, session }) };
}

function unpack({ path }) {
  const folder = join(path, '.git/objects/pack');
  const aside = join(path, '.git/aside');
  renameSync(folder, aside);
  for (const name of readdirSync(aside).filter((each) => each.endsWith('.pack'))) {
    execFileSync('git', ['unpack-objects', '-q'], { cwd: path, input: readFileSync(join(aside, name)) });
  }
}

function repack({ git }) {
  git(['repack', '-adq']);
}

/** Content that does not shrink, as pictures and archives do not, in 30,000 files on another branch. */
function beside({ path, git }) {
  const parts = ['commit refs/heads/pictures\ncommitter A <a@example.com> 1 +0000\ndata 4\nmuch\n'];
  for (let number = 0; number * fileBytes < codeBytes; number += 1) {
    const name = `${number % 100}/${number}`;
    parts.push(`M 100644 inline ${name}\ndata ${fileBytes}\n`, randomBytes(fileBytes), '\n');
  }
  const input = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const plain = ['-c', 'core.compression=0', '-c', 'pack.window=0'];
  execFileSync('git', [...plain, 'fast-import', '--quiet', '--depth=0'], { cwd: path, input });
  git([...plain, 'repack', '-adq']);
  const [pack] = readdirSync(join(path, '.git/objects/pack')).filter((name) => name.endsWith('.pack'));
  const { size } = statSync(join(path, '.git/objects/pack', pack));
  if (size < codeBytes) throw new Error(`the pack has ${size} bytes only`);
}

async function warm(stores, rounds) {
  let count = 0;
  const variants = stores.map(({ name, store }) => ({
    name,
    run: () => store.update({ feature: featureId(++count % features), data: { n: count } }),
  }));
  const results = await interleave(variants, { rounds, warmups: 40 });
  return { title: 'warm mutation by how the objects lie', rows: rowsOf(stores, results) };
}

async function cold(stores, rounds) {
  let workers = 0;
  const claim = () => ['claim', '--session', session, '--worker', `W${++workers}`, '--json'];
  const variants = stores.map(({ name, path }) => ({
    name,
    run: () => runChild(process.execPath, [command, ...claim()], { cwd: path }),
  }));
  const results = await interleave(variants, { rounds, warmups: 1 });
  return { title: 'claim --json from a shell by how the objects lie', rows: rowsOf(stores, results) };
}

function rowsOf(stores, results) {
  return stores.map(({ name }) => ({
    variant: name,
    ...summary([...results[name].values()]),
    to_loose: ratio(results[name], results.loose),
  }));
}
