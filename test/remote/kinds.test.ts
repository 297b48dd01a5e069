import { expect, test } from 'vitest';
import { type Clone, openClone } from '../support/clones.ts';
import { expectSound } from '../support/oracle.ts';
import { repositoryAt } from '../support/repo.ts';
import { cloneServed, kinds, type Served, serve } from '../support/servers/kinds.ts';
import { describeServer } from '../support/servers/server.ts';
import { codeOf } from '../support/store.ts';

/** The whole life of a feature through each kind of server. */

async function cloneOfServed(served: Served): Promise<Clone> {
  return openClone(repositoryAt(await cloneServed(served)), { variables: served.env });
}

for (const kind of kinds) {
  describeServer(`state shared through ${kind.name}`, kind.missing, () => {
    test('goes from claim to completion, and another machine sees it', async () => {
      const served = await serve(kind);
      const [one, two] = await Promise.all([cloneOfServed(served), cloneOfServed(served)]);
      await one.store.init();
      await one.store.sessionStart({ session: 's', steps: ['plan', 'build'] });
      await one.store.planLoad({ features: [{ id: 'f1' }, { id: 'f2' }] });
      const { token, feature } = await one.store.claim({ worker: 'a' });
      expect(feature.id).toBe('f1');
      expect((await two.store.claim({ worker: 'b' })).feature.id).toBe('f2');
      await one.store.heartbeat({ token: token! });
      await one.store.stepDone({ token: token!, step: 'plan' });
      await one.store.complete({ token: token!, skipRemaining: true });
      await one.store.checkpointCreate({ name: 'end' });
      await two.store.sync();
      expect((await two.store.status()).progress).toMatchObject({ completed: 1, in_progress: 1 });
      expect(two.repository.git('tag')).toBe('gitstate/s/end');
      expect(await codeOf(two.store.complete({ feature: 'f1', token: token!, session: 's' }))).toBe(null);
      await expectSound(two.repository);
    });
  });
}
