/** Uses a reader and a ref store, closes neither, prints the id of the one's child, and comes to its end. */
import { CatFileReader } from '../../src/git/reader.ts';
import { RefStore } from '../../src/git/refs.ts';
import { openRepository } from '../../src/git/repository.ts';

const repository = await openRepository({ cwd: process.argv[2] ?? '', variables: process.env });
const reader = new CatFileReader(repository);
const head = await reader.resolve('HEAD');
const refs = new RefStore(repository, {
  fsync: false,
  identity: { name: 'w', email: 'w@example.com' },
  onChild: (pid) => console.log(pid),
});
await refs.transact([{ ref: 'refs/heads/state', oldOid: null, newOid: head }]);
