import type { BudgetState } from '../../core/budgets.ts';
import { GitStateError, isGitStateError } from '../../errors.ts';
import { atOf, command, type Invocation, namedFeature, opIdOf, usage } from '../command.ts';
import { amount, tokens } from '../options.ts';
import type { Field } from '../output.ts';
import { warnOfBudgets } from '../views/budget.ts';
import { costLines, costPipe, costRecords } from '../views/cost.ts';

const stepOption = { flags: '--step STEP', description: 'the step that it was spent on' };
const operandRule = 'With one operand it is the amount; the feature is then found as for `step`.';
const pipe = 'feature, total, budget of a feature, stop (true or false), step, total of the step';

/** AMOUNT, read as the amounts of options are. */
function amountOf({ operands }: Pick<Invocation, 'operands'>): number {
  try {
    return amount(operands.require('AMOUNT'));
  } catch (error) {
    if (!isGitStateError(error, 'INVALID_INPUT')) throw error;
    throw new GitStateError('INVALID_INPUT', `AMOUNT: ${error.message}`, {
      hint: error.hint ?? 'an amount looks like 12 or 0.25',
    });
  }
}

interface Standing extends BudgetState {
  feature: string;
  step: string | null;
  step_total?: number | null;
  total: number;
  budget: number | null;
}

function costRecord({ feature, step, step_total, total, budget, stop }: Standing): Field[] {
  return [feature, total, budget, stop, step, step_total];
}

/** `001 has cost 2.5 of 7`. */
function standingText({ feature, total, budget }: Standing): string {
  return `${feature} has cost ${total}${budget === null ? '' : ` of ${budget}`}`;
}

interface AddFlags {
  step?: string;
  operation?: string;
  tokens?: { in?: number; out?: number; cached?: number };
  key?: string;
}

export const costAdd = command<AddFlags>({
  operands: '[ID] AMOUNT',
  description:
    'Records what was spent on a feature. It needs no claim and is never refused; from 80% of a budget on it warns. ' +
    `${operandRule}\nA report that is repeated under the same --key counts once.`,
  options: [
    stepOption,
    { flags: '--operation TEXT', description: 'what the money was spent on, such as tts (else other)' },
    { flags: '--tokens KIND=N', description: 'tokens used, such as in=1200,out=300,cached=0', parse: tokens },
    { flags: '--key TEXT', description: 'idempotency key of the report' },
  ],
  examples: [
    'git state cost add 0.42 --step research --operation search',
    'git state cost add 003 1.5 --step plan --operation llm --tokens in=1200,out=300 --key run-17',
  ],
  pipe,
  writes: true,
  async run(invocation) {
    const { step, operation, tokens, key } = invocation.options;
    const spent = amountOf(invocation);
    const value = await (await invocation.store()).costAdd({
      ...namedFeature(invocation),
      amount: spent,
      ...(step === undefined ? {} : { step }),
      ...(operation === undefined ? {} : { operation }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(key === undefined ? {} : { key }),
      ...opIdOf(invocation),
    });
    warnOfBudgets(invocation.output, value);
    return {
      value,
      human: () => [
        value.changed ? `added ${spent}: ${standingText(value)}` : `counted already: ${standingText(value)}`,
      ],
      plain: [costRecord(value)],
    };
  },
});

export const costSet = command<{ step?: string }>({
  operands: '[ID] AMOUNT',
  description: `Sets the total of a step: the difference is recorded. ${operandRule}`,
  options: [stepOption],
  examples: ['git state cost set 003 1.8 --step research'],
  pipe,
  writes: true,
  async run(invocation) {
    const { step } = invocation.options;
    if (step === undefined) throw usage('cost set needs --step STEP', invocation.name);
    const value = await (await invocation.store()).costSet({
      ...namedFeature(invocation),
      amount: amountOf(invocation),
      step,
      ...opIdOf(invocation),
    });
    warnOfBudgets(invocation.output, value);
    return {
      value,
      human: () => [
        value.changed
          ? `step ${step} has cost ${value.step_total}: ${standingText(value)}`
          : `nothing to change: ${standingText(value)}`,
      ],
      plain: [costRecord(value)],
    };
  },
});

export const costCheck = command<{ step?: string; enforce?: boolean }>({
  operands: '[ID] AMOUNT',
  description:
    'Says what the budgets would say if AMOUNT more was spent, and changes nothing. ' +
    `${operandRule}\nWith --enforce the exit status is 4 where a budget would be used up.`,
  options: [stepOption, { flags: '--enforce', description: 'exit status 4 where a budget would be used up' }],
  examples: [
    'git state cost check 0.5 --step audio',
    'git state cost check 003 2 --enforce --quiet || exit 1   # before an expensive call',
  ],
  pipe: 'feature, total so far, budget of a feature, stop (true or false), step',
  writes: false,
  async run(invocation) {
    const { step, enforce } = invocation.options;
    const more = amountOf(invocation);
    const value = await (await invocation.store()).costCheck({
      ...namedFeature(invocation),
      amount: more,
      ...(step === undefined ? {} : { step }),
      ...atOf(invocation),
    });
    warnOfBudgets(invocation.output, value);
    return {
      value,
      human: ({ colors }) => [
        `${standingText(value)}; ${value.stop ? colors.red(`${more} more would use a budget up`) : `${more} more is within the budgets`}`,
      ],
      plain: [costRecord(value)],
      exitStatus: enforce && value.stop ? 4 : 0,
    };
  },
});

export const costShow = command({
  operands: '[ID]',
  description:
    'Shows what a feature has cost, or without ID the whole session: by step, operation, worker, day and feature.',
  examples: ['git state cost show', 'git state cost show 003', 'git state cost show --json | jq .by_day'],
  pipe: costPipe,
  writes: false,
  async run(invocation) {
    const { feature } = namedFeature(invocation);
    const value = await (await invocation.store()).costShow({
      ...(feature === undefined ? {} : { feature }),
      ...atOf(invocation),
    });
    return {
      value,
      human: (ui) => costLines(feature ?? 'the session', value, ui),
      plain: costRecords(value),
    };
  },
});
