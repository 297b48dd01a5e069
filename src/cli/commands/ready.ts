import { atOf, command, type GlobalFlags } from '../command.ts';
import { matchOption } from '../options.ts';
import { featurePipe, featureRecord, featureTable } from '../views/feature.ts';

interface MatchFlags {
  match?: string[];
}

function optionsOf({ options: { match }, flags }: { options: MatchFlags; flags: GlobalFlags }) {
  return { ...atOf({ flags }), ...(match ? { match } : {}) };
}

export const ready = command<MatchFlags>({
  description:
    'Lists every feature that can be claimed now, in claim order: priority, phase, id. Ready is what is pending with ' +
    'all its dependencies completed.',
  options: [matchOption],
  examples: ['git state ready', "git state ready --match label=backend --match 'priority=P0,P1' | cut -f1"],
  pipe: featurePipe,
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).ready(optionsOf(invocation));
    return {
      value,
      human: (ui) =>
        value.features.length > 0
          ? featureTable(value.features, ui)
          : ['nothing is ready; `git state status` says what waits for what'],
      plain: value.features.map(featureRecord),
    };
  },
});

export const next = command<MatchFlags>({
  description: 'Shows the first feature that can be claimed. Exit status 5 if there is none.',
  options: [matchOption],
  examples: ['git state next', 'feature=$(git state next) && git state claim "$feature"'],
  pipe: 'ID, and nothing else',
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).next(optionsOf(invocation));
    return { value, human: (ui) => featureTable([value], ui), plain: [[value.id]] };
  },
});
