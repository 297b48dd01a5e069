import { command, opIdOf } from '../command.ts';
import { counted, shortOid } from '../views/time.ts';

export const planLoad = command({
  operands: 'FILE',
  description:
    'Adds many features, all or none. FILE is JSON or YAML, - reads standard input. Its shape is ' +
    '{features: [{id, name, priority, phase, dependencies, steps, data}]}; only id is required, the order is free, ' +
    'and dependencies may name features of the plan or of the session.',
  examples: ['git state plan load plan.yaml', 'generate-plan | git state plan load -'],
  pipe: 'number of features added, commit',
  writes: true,
  async run(invocation) {
    const { readPlan } = await import('../plan-file.ts');
    const features = await readPlan(invocation.operands.require('FILE'), invocation.cwd);
    const value = await (await invocation.store()).planLoad({ features, ...opIdOf(invocation) });
    const { added, commit } = value;
    return {
      value,
      human: () => [`added ${counted(added, 'feature')}${commit === null ? '' : ` (${shortOid(commit)})`}`],
      plain: [[added, commit]],
    };
  },
});
