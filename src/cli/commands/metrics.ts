import type { Store } from '../../store/open.ts';
import { atOf, command, type Invocation, usage } from '../command.ts';
import { metricLines, metricRecords, metricsCsv } from '../views/metrics.ts';

interface MetricsFlags {
  prometheus?: boolean;
  csv?: boolean;
}

export const metrics = command<MetricsFlags>({
  description:
    'Times, success rates, costs and quality of the session, by step, too. Times are minutes.\n' +
    'With --prometheus they are in the text format of Prometheus: of the session that is named, else of every session ' +
    'that is not archived.',
  options: [
    { flags: '--prometheus', description: 'the text format of Prometheus' },
    { flags: '--csv', description: 'comma-separated: session, metric, value' },
  ],
  examples: [
    'git state metrics',
    'git state metrics --json | jq .by_step',
    'git state metrics --prometheus > /var/lib/node_exporter/gitstate.prom',
  ],
  pipe: 'a name such as by_step.plan.cost and its value, one pair a line',
  writes: false,
  async run(invocation) {
    const { options, output, flags } = invocation;
    const { prometheus, csv } = options;
    if ([prometheus, csv, flags.json].filter(Boolean).length > 1) {
      throw usage('--json, --prometheus and --csv exclude each other', invocation.name);
    }
    const store = await invocation.store();
    if (prometheus) {
      output.write(await prometheusText(store, invocation));
      return 0;
    }
    const value = await store.metrics(atOf(invocation));
    if (csv) {
      output.write(metricsCsv(value));
      return 0;
    }
    return { value, human: (ui) => metricLines(value, ui), plain: metricRecords(value) };
  },
});

async function prometheusText(store: Store, invocation: Invocation<MetricsFlags>): Promise<string> {
  const { stopsOn } = await import('../../core/budgets.ts');
  const { instantOf } = await import('../../core/time.ts');
  const { exportPrometheus } = await import('../../formats/prometheus.ts');
  const { flags, env } = invocation;
  const named = flags.session ?? (env.variables.GITSTATE_SESSION || undefined);
  const reading = await store.state(atOf(invocation));
  // The error for a missing store is that of every other reading command.
  if (reading === null) await store.sessionList();
  const now = instantOf(env.now());
  return exportPrometheus({
    state: reading!.state,
    ...(named === undefined ? {} : { session: named }),
    isStopped: (session, contents) => stopsOn(session, contents, now),
  });
}
