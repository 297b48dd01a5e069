import { atOf, command } from '../command.ts';
import { featurePipe, featureRecord, featureTable } from '../views/feature.ts';

export const ready = command({
  description:
    'Lists every feature that can be claimed now, in claim order: priority, phase, id. Ready is what is pending with ' +
    'all its dependencies completed.',
  examples: ['git state ready', 'git state ready | cut -f1'],
  pipe: featurePipe,
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).ready(atOf(invocation));
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

export const next = command({
  description: 'Shows the first feature that can be claimed. Exit status 5 if there is none.',
  examples: ['git state next', 'feature=$(git state next) && git state claim "$feature"'],
  pipe: 'ID, and nothing else',
  writes: false,
  async run(invocation) {
    const value = await (await invocation.store()).next(atOf(invocation));
    return { value, human: (ui) => featureTable([value], ui), plain: [[value.id]] };
  },
});
