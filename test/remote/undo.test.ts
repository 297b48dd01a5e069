import { expect, it } from 'vitest';
import { cloneOf, makeShared, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { codeOf } from '../support/store.ts';

it('an undo is decided by what the server has, and everybody sees it', async () => {
  const one = await makeShared(['f1']);
  const two = await cloneOf(one.server.path);
  await two.store.update({ feature: 'f1', name: 'changed' });
  expect(await one.store.undo()).toMatchObject({ changed: true, durability: 'remote' });
  await two.store.sync();
  expect(await two.store.show({ feature: 'f1' })).toMatchObject({ name: 'f1' });
  await expectSound(two.repository);
});

it('one that was made without the server is never put on top of what it had not seen', async () => {
  const one = await makeShared(['f1', 'f2']);
  const two = await cloneOf(one.server.path);
  await two.store.sync();
  const away = await openClone(two.repository, { offline: true });
  await away.store.update({ feature: 'f1', name: 'mine' });
  await away.store.undo();
  await one.store.update({ feature: 'f2', name: 'theirs' });
  // Nor is there anything to look into before both have come together.
  expect(await codeOf(two.store.undo())).toBe('REMOTE_DIVERGED');
  const { rejected } = await two.store.sync();
  expect(rejected).toMatchObject([{ op: 'state.undo', code: 'CONFLICT' }]);
  expect(await two.store.show({ feature: 'f1' })).toMatchObject({ name: 'mine' });
  await expectSound(two.repository);
});

it('tags under a prefix of the users travel as well', async () => {
  const one = await makeShared(['f1']);
  one.repository.git('config', 'gitstate.tagPrefix', 'state/');
  const here = await openClone(one.repository);
  const { tag } = await here.store.checkpointCreate({ name: 'evening' });
  const two = await cloneOf(one.server.path);
  two.repository.git('config', 'gitstate.tagPrefix', 'state/');
  const there = await openClone(two.repository);
  await there.store.sync();
  expect(two.repository.git('rev-parse', tag!)).toBe(one.repository.git('rev-parse', tag!));
  await there.store.checkpointDelete({ name: 'evening' });
  await here.store.sync();
  expect(one.repository.git('tag', '--list')).toBe('');
});
