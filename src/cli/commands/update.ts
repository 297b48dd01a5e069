import { callOf, command, namedFeature } from '../command.ts';
import { count, jsonObject, orNone, text, time } from '../options.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';
import { type FeatureFlags, featureFields, featureOptions } from './feature-options.ts';

interface UpdateFlags extends FeatureFlags {
  status?: string;
  pr?: number | null;
  branchName?: string | null;
  worktree?: string | null;
  metrics?: Record<string, unknown>;
  startedAt?: string | null;
  completedAt?: string | null;
}

export const update = command<UpdateFlags>({
  operands: '[ID]',
  description:
    'Sets fields of a feature by hand. --status sets one outside the normal moves, too, and ends the claim unless it ' +
    'is in_progress; times that are given outweigh those that follow from it. A claimed feature needs its token.',
  options: [
    ...featureOptions,
    { flags: '--status STATUS', description: 'pending, in_progress, completed, failed or archived' },
    { flags: '--pr N', description: "number of its pull request; 'none' for none", parse: orNone(count) },
    { flags: '--branch-name NAME', description: "its code branch; 'none' for none", parse: orNone(text) },
    { flags: '--worktree PATH', description: "where it is worked on; 'none' for none", parse: orNone(text) },
    { flags: '--metrics JSON', description: 'measures of your own, an object or @FILE', parse: jsonObject },
    { flags: '--started-at TIME', description: "when work began; 'none' for never", parse: orNone(time) },
    {
      flags: '--completed-at TIME',
      description: "when it was completed; 'none' for never",
      parse: orNone(time),
    },
  ],
  examples: [
    'git state update 003 --pr 42',
    'git state update 003 --priority P0 --needs 001,002',
    'git state update 003 --status completed --completed-at 2026-01-31T12:00:00+02:00',
    `git state update --metrics '{"tests": 12}'`,
  ],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const { pr, status, branchName, worktree, metrics, startedAt, completedAt } = invocation.options;
    const set = { prNumber: pr, status, branchName, worktree, metrics, startedAt, completedAt };
    const given = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
    const value = await (await invocation.store()).update({
      ...namedFeature(invocation),
      ...featureFields(invocation.options),
      ...given,
      ...callOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        value.changed
          ? `updated ${colors.bold(value.id)} (${value.status})`
          : `${colors.bold(value.id)} is as it was`,
      ],
      plain: [featureRecord(value)],
    };
  },
});
