import { type CommandSpec, callOf, command, namedFeature, type OptionSpec } from '../command.ts';
import { warnOfBudgets } from '../views/budget.ts';
import { featurePipe, featureRecord } from '../views/feature.ts';

interface Move {
  method: 'stepStart' | 'stepDone' | 'stepFail' | 'stepSkip';
  done: string;
  description: string;
  options?: readonly OptionSpec[];
  examples: readonly string[];
}

function move({ method, done, description, options = [], examples }: Move): CommandSpec {
  return command<{ error?: string }>({
    operands: '[ID] STEP',
    description: `${description} With one operand it is the step; the feature is then that of --feature, of GITSTATE_FEATURE, of the worktree, or the one that you have claimed.`,
    options,
    examples,
    pipe: featurePipe,
    writes: true,
    async run(invocation) {
      const step = invocation.operands.require('STEP');
      const { error } = invocation.options;
      const value = await (await invocation.store())[method]({
        ...namedFeature(invocation),
        step,
        ...(error === undefined ? {} : { error }),
        ...callOf(invocation),
      });
      const { id, changed, current_step, stop, steps } = value;
      const waiting = stop && steps.find(({ status }) => status === 'pending')?.name;
      if (stop) {
        const limits = value.warnings.filter(({ scope, percent }) => scope !== 'step' && percent >= 100);
        warnOfBudgets(invocation.output, { warnings: limits });
      }
      const onward =
        current_step !== null && current_step !== step
          ? `; now ${current_step}`
          : waiting
            ? `; ${waiting} waits until a budget is raised`
            : '';
      return {
        value,
        human: ({ colors }) => [
          changed
            ? `${done} step ${step} of ${colors.bold(id)}${onward}`
            : `step ${step} of ${colors.bold(id)}: nothing to change`,
        ],
        plain: [featureRecord(value)],
      };
    },
  });
}

export const stepStart = move({
  method: 'stepStart',
  done: 'started',
  description: 'Starts a step, or a failed one again. Every earlier step has to be completed or skipped.',
  examples: ['git state step start plan', 'git state step start 003 plan'],
});

export const stepDone = move({
  method: 'stepDone',
  done: 'finished',
  description: 'Finishes a step; the next one starts. Repeated, it changes nothing.',
  examples: ['git state step done plan', 'git state step done 003 plan'],
});

export const stepFail = move({
  method: 'stepFail',
  done: 'failed',
  description: 'Marks a step as failed; the feature stays with its worker, who may start the step again.',
  options: [{ flags: '--error TEXT', description: 'what went wrong' }],
  examples: ['git state step fail plan --error "no network"'],
});

export const stepSkip = move({
  method: 'stepSkip',
  done: 'skipped',
  description: 'Passes over a step; the next one starts.',
  examples: ['git state step skip analyze', 'git state step skip 003 analyze'],
});
