/** Adds `count` commits to `ref`, each on top of what it found there, and prints how many it was told had landed. */

import { encodeCommit } from '../../src/git/commit.ts';
import { committerIdentity } from '../../src/git/identity.ts';
import { newObject } from '../../src/git/objects.ts';
import { CatFileReader } from '../../src/git/reader.ts';
import { RefStore } from '../../src/git/refs.ts';
import { openRepository } from '../../src/git/repository.ts';
import { ObjectWriter } from '../../src/git/writer.ts';

const [cwd = '', ref = '', name = '', count = '0'] = process.argv.slice(2);
const repository = await openRepository({ cwd, variables: process.env });
const { config, objectFormat } = repository;
const reader = new CatFileReader(repository);
const writer = new ObjectWriter({ ...repository, fsync: false });
const refs = new RefStore(repository, { fsync: false, identity: committerIdentity(config, process.env) });
const who = { name, email: 'w@example.com', at: 1_700_000_000, timezone: '+0000' };

let landed = 0;
while (landed < Number(count)) {
  const parent = await reader.resolve(ref);
  const tree = (await reader.info(`${parent}^{tree}`))!.oid;
  const message = `${name} ${landed}\n`;
  const commit = newObject(
    objectFormat,
    'commit',
    encodeCommit({ tree, parents: [parent!], author: who, committer: who, message }),
  );
  await writer.write([commit]);
  if ((await refs.transact([{ ref, oldOid: parent, newOid: commit.oid }])) === 'moved') landed += 1;
}
reader.close();
refs.close();
console.log(landed);
