import type { CheckpointView } from '../../core/views.ts';
import { atOf, command, opIdOf, subjectFeature } from '../command.ts';
import { json } from '../options.ts';
import type { Field, Ui } from '../output.ts';
import { details, table } from '../table-view.ts';
import { visible } from '../text.ts';
import { localTime, shortOid } from '../views/time.ts';

const pipe = 'name, commit, feature, step, next step, time, tag';

function checkpointRecord(checkpoint: CheckpointView): Field[] {
  const { name, commit, feature, step, next_step, created_at, tag } = checkpoint;
  return [name, commit, feature, step, next_step, created_at, tag];
}

export const checkpointCreate = command<{ step?: string; data?: unknown; replace?: boolean }>({
  operands: 'NAME',
  description:
    'Names the present state, or with --at an older one, as a point to come back to: an annotated tag that also keeps ' +
    'the heads of the code branches in progress. It needs no claim. A name that is taken is refused, unless --replace says ' +
    'that the one of the same feature gives way; its commit stays in the history.',
  options: [
    { flags: '--step STEP', description: 'the step that it belongs to' },
    { flags: '--data JSON', description: 'data of your own: JSON or @FILE', parse: json },
    { flags: '--replace', description: 'one of the same name and feature gives way' },
  ],
  examples: [
    'git state checkpoint create before-review',
    `git state checkpoint create v1 --feature 003 --step plan --data '{"score": 7}'`,
    'git state checkpoint create yesterday-evening --at 14h',
    `git state checkpoint create draft --feature 003 --step script --data @draft.json --replace`,
  ],
  pipe: 'name, commit',
  writes: true,
  at: true,
  async run(invocation) {
    const { step, data, replace } = invocation.options;
    const value = await (await invocation.store()).checkpointCreate({
      name: invocation.operands.require('NAME'),
      ...subjectFeature(invocation),
      ...(step === undefined ? {} : { step }),
      ...(data === undefined ? {} : { data }),
      ...(replace ? { replace } : {}),
      ...atOf(invocation),
      ...opIdOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        `checkpoint ${colors.bold(value.name)} is commit ${shortOid(value.commit)}, tag ${value.tag}`,
      ],
      plain: [[value.name, value.commit]],
    };
  },
});

export const checkpointList = command({
  description: 'Lists the checkpoints of a session, oldest first; with --feature those of one feature.',
  examples: ['git state checkpoint list', 'git state checkpoint list --feature 003'],
  pipe,
  writes: false,
  async run(invocation) {
    const { feature } = invocation.flags;
    const value = await (await invocation.store()).checkpointList({
      ...(feature === undefined ? {} : { feature }),
      ...atOf(invocation),
    });
    return {
      value,
      human: (ui) =>
        value.checkpoints.length > 0
          ? checkpointTable(value.checkpoints, ui)
          : ['no checkpoints yet: make one with `git state checkpoint create NAME`'],
      plain: value.checkpoints.map(checkpointRecord),
    };
  },
});

function checkpointTable(checkpoints: readonly CheckpointView[], ui: Ui): string[] {
  return table(
    checkpoints,
    [
      { title: 'NAME', text: ({ name }) => name, paint: (_, text) => ui.colors.bold(text) },
      { title: 'COMMIT', text: ({ commit }) => shortOid(commit) },
      { title: 'FEATURE', text: ({ feature }) => feature ?? '' },
      { title: 'STEP', text: ({ step }) => step ?? '' },
      { title: 'NEXT', text: ({ next_step }) => next_step ?? '' },
      { title: 'MADE', text: ({ created_at }) => localTime(created_at) },
      { title: '', text: ({ automatic }) => (automatic ? 'automatic' : '') },
    ],
    ui,
  );
}

export const checkpointShow = command({
  operands: 'NAME',
  description: 'Shows one checkpoint: its commit, its data, the code heads that it keeps.',
  examples: ['git state checkpoint show v1', 'git state checkpoint show v1 --json | jq .data'],
  pipe,
  writes: false,
  async run(invocation) {
    const name = invocation.operands.require('NAME');
    const value = await (await invocation.store()).checkpointShow({ name, ...atOf(invocation) });
    return { value, human: (ui) => checkpointDetails(value, ui), plain: [checkpointRecord(value)] };
  },
});

function checkpointDetails(checkpoint: CheckpointView, ui: Ui): string[] {
  const { name, commit, tag, feature, step, next_step, created_at, data, heads, can_resume } = checkpoint;
  const branches = Object.values(heads).map(({ branch, oid }) => `${visible(branch)} ${shortOid(oid)}`);
  return [
    ui.colors.bold(name),
    ...details(
      [
        ['commit', commit],
        ['tag', tag ?? 'none: it was made when a step completed'],
        ['feature', feature],
        ['step', step],
        ['next step', next_step],
        ['made', localTime(created_at)],
        ['code heads', branches.join(', ') || null],
        ['data', data === null ? null : visible(JSON.stringify(data))],
        ['can resume', can_resume ? 'yes' : 'no'],
      ],
      ui,
    ),
  ];
}

export const checkpointDelete = command({
  operands: 'NAME',
  description: 'Gives up the name of a checkpoint; the commit stays in the history.',
  examples: ['git state checkpoint delete v1'],
  pipe: 'name, commit that it named',
  writes: true,
  async run(invocation) {
    const name = invocation.operands.require('NAME');
    const value = await (await invocation.store()).checkpointDelete({ name, ...opIdOf(invocation) });
    return {
      value,
      human: ({ colors }) => [
        `deleted checkpoint ${colors.bold(value.name)} (it was ${shortOid(value.commit)})`,
      ],
      plain: [[value.name, value.commit]],
    };
  },
});
