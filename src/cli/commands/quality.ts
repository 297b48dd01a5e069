import { GitStateError } from '../../errors.ts';
import { command, namedFeature, opIdOf } from '../command.ts';
import { number } from '../options.ts';
import { visible } from '../text.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

export const quality = command({
  operands: '[ID] NAME=SCORE...',
  description:
    'Records scores of the quality of a feature, by name and on any scale. They are merged with those that are there. ' +
    'It needs no claim; averages and the trend stand in `git state metrics`.',
  examples: ['git state quality 003 accuracy=9.2 depth=8', 'git state quality accuracy=9.2'],
  pipe: featurePipe,
  writes: true,
  async run(invocation) {
    const { operands } = invocation;
    const first = operands.get('ID');
    // An id holds no equals sign, so the first operand tells itself what it is.
    const named = first !== undefined && !first.includes('=');
    const scores = scoresOf(named || first === undefined ? operands.rest : [first, ...operands.rest]);
    const own = { ...invocation, operands: { ...operands, get: () => (named ? first : undefined) } };
    const value = await (await invocation.store()).quality({
      ...namedFeature(own),
      scores,
      ...opIdOf(invocation),
    });
    const texts = Object.entries(value.quality_scores).map(([name, score]) => `${visible(name)} ${score}`);
    return {
      value,
      human: ({ colors }) => [`scored ${colors.bold(value.id)}: ${texts.join(', ')}`],
      plain: [featureRecord(value)],
    };
  },
});

function scoresOf(texts: readonly string[]): Record<string, number> {
  const scores = texts.map((text): [string, number] => {
    const split = text.lastIndexOf('=');
    if (split <= 0) {
      throw new GitStateError('INVALID_INPUT', `'${text}' is not of the form NAME=SCORE`, {
        hint: 'a score looks like accuracy=9.2',
      });
    }
    return [text.slice(0, split), number(text.slice(split + 1))];
  });
  return Object.fromEntries(scores);
}
