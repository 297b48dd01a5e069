import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemEnv } from '../../src/env.ts';
import { mergeBase } from '../../src/store/code.ts';
import { linesOf, makeProject, only, openStore, type Project, until, work } from './support.ts';

const commit =
  'git -c core.hooksPath=/dev/null -c commit.gpgSign=false -c user.name=A -c user.email=a@b.c commit -q';

/** Commits a file of the feature's own. */
const ownFile = `echo "$GITSTATE_FEATURE" > "$GITSTATE_FEATURE.txt"; git add -A; ${commit} -m "$GITSTATE_FEATURE"`;

async function makeMerging(...ids: string[]): Promise<Project> {
  const project = await makeProject(ids.map((id) => ({ id, name: `about ${id}` })));
  project.repository.git('branch', 'team/integration');
  return project;
}

const merging = { base: 'team/integration', onComplete: 'merge' } as const;

describe('a completed feature', () => {
  it('is merged into the base: moved forward, or by a commit of the user', async () => {
    const { store, repository } = await makeMerging('001', '002', '003');
    const variables = {
      ...systemEnv().variables,
      GIT_AUTHOR_NAME: 'Ann Author',
      GIT_AUTHOR_EMAIL: 'ann@example.com',
    };
    // Both begin at the same commit, so one of them cannot be moved forward.
    const script = `touch "$1/$GITSTATE_FEATURE"; until test -e "$1/001" && test -e "$1/002" || test $GITSTATE_FEATURE = 003; do sleep 0.02; done; ${ownFile}`;
    await store.update({ feature: '003', dependencies: ['001', '002'] });
    const scratch = join(repository.path, '..');
    const { summary, events } = await work(
      { store: await openStore(repository.path, variables), workers: 2, ...merging },
      script,
      scratch,
    );
    expect(summary).toMatchObject({ exit_status: 0, failed: [] });
    expect(only(events, 'merged').map(({ fast_forward }) => fast_forward)).toEqual([true, false, true]);
    for (const { feature, commit: oid } of only(events, 'merged'))
      expect(repository.git('show', `${oid}:${feature}.txt`)).toBe(feature);
    expect(repository.git('log', '--format=%an <%ae>|%s|%b', '--merges', 'team/integration').trim()).toMatch(
      /^Ann Author <ann@example.com>\|Merge branch 'feature\/00[12]' into team\/integration\|about 00[12]$/,
    );
    expect(repository.git('rev-parse', 'team/integration')).toBe(repository.git('rev-parse', 'feature/003'));
    const order = events.filter(({ event }) => ['merged', 'completed'].includes(event));
    for (const id of ['001', '002', '003'])
      expect(order.filter(({ feature }) => feature === id).map(({ event }) => event)).toEqual([
        'merged',
        'completed',
      ]);
    expect(repository.git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(repository.git('status', '--porcelain')).toBe('');
    // The worktrees hold nothing that is not merged.
    expect(only(events, 'worktree_removed').length).toBe(3);
  });

  it('is failed where the merge conflicts, with the files named and its branch kept', async () => {
    const { store, repository } = await makeMerging('001', '002');
    const script = `echo "$GITSTATE_FEATURE" > README; echo x > "a ü.txt"; echo "$GITSTATE_FEATURE" >> "a ü.txt"; git add -A; ${commit} -m x; touch "$1/$GITSTATE_FEATURE"; until test -e "$1/001" && test -e "$1/002"; do sleep 0.02; done`;
    const scratch = join(repository.path, '..');
    const { summary } = await work({ store, workers: 2, ...merging }, script, scratch);
    expect(summary).toMatchObject({ exit_status: 5, remaining: 1 });
    const { feature, error } = summary.failed[0]!;
    expect(error).toBe(`merging 'feature/${feature}' into 'team/integration' conflicts in: README, a ü.txt`);
    expect(await store.show({ feature })).toMatchObject({ status: 'failed', retry_count: 1, error });
    expect(repository.git('show', `feature/${feature}:README`)).toBe(feature);
    expect(repository.git('show', 'team/integration:README')).toBe(summary.completed[0]);
    expect(existsSync(join(repository.path, '.worktrees', feature))).toBe(true);
  });

  it('is not merged where it could not be completed, and not completed where a hook refuses the merge', async () => {
    const { store, repository } = await makeMerging('001', '002');
    await store.sessionStart({ session: 'strict', qualityMin: { tests: 8 }, maxRetries: 0 } as never);
    await store.add({ session: 'strict', feature: 'x' });
    const before = repository.git('rev-parse', 'team/integration');
    const unmet = await work({ store, session: 'strict', ...merging }, ownFile);
    expect(unmet.summary.failed).toMatchObject([{ feature: 'x', error: expect.stringContaining('tests') }]);
    expect(repository.git('rev-parse', 'team/integration')).toBe(before);
    const hook = join(repository.path, '.git', 'hooks', 'reference-transaction');
    const text = '#!/bin/sh\nif grep -q refs/heads/team/integration; then echo "frozen" >&2; exit 1; fi\n';
    writeFileSync(hook, text, { mode: 0o755 });
    repository.git('config', 'core.hooksPath', join(repository.path, '.git', 'hooks'));
    const refused = await work(
      { store: await openStore(repository.path), session: 's', match: ['id=001'], ...merging },
      ownFile,
    );
    expect(refused.summary.failed).toMatchObject([
      { error: expect.stringMatching(/cannot be merged.*frozen/) },
    ]);
    expect(repository.git('rev-parse', 'team/integration')).toBe(before);
  });

  it('whose base somebody has checked out meanwhile is failed, and nothing is moved under them', async () => {
    const { store, repository, scratch } = await makeMerging('001');
    const script = `${ownFile}; touch "$1/ran"; until test -e "$1/go"; do sleep 0.02; done`;
    const running = work({ store, ...merging }, script, scratch);
    await until('the command', () => existsSync(join(scratch, 'ran')));
    repository.git('worktree', 'add', '-q', join(scratch, 'mine'), 'team/integration');
    writeFileSync(join(scratch, 'go'), '');
    const { summary } = await running;
    expect(summary.failed).toMatchObject([
      { error: expect.stringContaining("'team/integration' is checked out at") },
    ]);
    expect(repository.git('rev-parse', 'team/integration')).toBe(repository.git('rev-parse', 'main'));
  });

  it('of six workers is merged beside all others', async () => {
    const ids = Array.from({ length: 10 }, (_, index) => `f${index}`);
    const { store, repository } = await makeMerging(...ids);
    const { summary } = await work({ store, workers: 6, ...merging }, ownFile);
    expect(summary).toMatchObject({ exit_status: 0, failed: [] });
    expect(linesOfTree(repository.git('ls-tree', '--name-only', 'team/integration'))).toEqual(
      [...ids.map((id) => `${id}.txt`), 'README'].sort(),
    );
  });

  it('with nothing to merge is completed', async () => {
    const { store, repository } = await makeMerging('001');
    const { summary, events } = await work({ store, ...merging }, 'true');
    expect(summary).toMatchObject({ exit_status: 0, completed: ['001'] });
    expect(only(events, 'merged')).toEqual([]);
    expect(repository.git('rev-parse', 'team/integration')).toBe(repository.git('rev-parse', 'main'));
  });
});

describe('a base', () => {
  it.each([
    ['that is checked out', { base: 'main' }, 'BRANCH_EXISTS'],
    ['that is left out, where HEAD is on a branch', {}, 'BRANCH_EXISTS'],
    ['that is no branch', { base: 'main~0' }, 'USAGE'],
    ['that is the state branch', { base: 'gitstate' }, 'USAGE'],
    ['that does not exist', { base: 'nowhere' }, 'COMMIT_NOT_FOUND'],
  ])('%s is refused before the first claim', async (_, options, code) => {
    const { store, scratch } = await makeMerging('001');
    const trace = join(scratch, 'trace');
    await expect(
      work({ store, onComplete: 'merge', ...options }, 'echo x > "$1"', trace),
    ).rejects.toMatchObject({
      code,
    });
    expect(linesOf(trace)).toEqual([]);
    expect(await store.show({ feature: '001' })).toMatchObject({ status: 'pending', started_at: null });
  });

  it('needs a Git that can merge without a work tree', async () => {
    const { store } = await makeMerging('001');
    const repository = { ...store.repository, version: [2, 37, 9] as const };
    const refusal = mergeBase({ repository, branchRef: 'refs/heads/gitstate' }, 'team/integration');
    await expect(refusal).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('2.37.9'),
    });
  });

  it('cannot be a detached HEAD', async () => {
    const { store, repository } = await makeMerging('001');
    repository.git('checkout', '-q', '--detach');
    await expect(work({ store, onComplete: 'merge' }, 'true')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('detached'),
    });
  });
});

function linesOfTree(text: string): string[] {
  return text.split('\n').sort();
}
