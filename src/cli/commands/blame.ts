import { atOf, command, namedFeature, subjectFeature } from '../command.ts';
import { table } from '../table-view.ts';
import { truncate, visible } from '../text.ts';
import { localTime, shortOid } from '../views/time.ts';

export const blame = command({
  operands: '[ID]',
  description:
    'Tells for each field of a feature which operation set it: when, who, and in which commit. Fields are JSON pointers ' +
    'into the file of the feature, such as /steps/0/status.',
  examples: ['git state blame 003', 'git state blame 003 --at v1', 'git state blame 003 --json | jq .fields'],
  pipe: 'field, commit, time, actor, operation, value as JSON',
  writes: false,
  async run(invocation) {
    const feature = { ...subjectFeature(invocation), ...namedFeature(invocation) };
    const value = await (await invocation.store()).blame({ ...feature, ...atOf(invocation) });
    return {
      value,
      human: (ui) =>
        table(
          value.fields,
          [
            {
              title: 'COMMIT',
              text: ({ commit }) => shortOid(commit),
              paint: (_, text) => ui.colors.yellow(text),
            },
            { title: 'WHEN', text: ({ at }) => localTime(at), paint: (_, text) => ui.colors.dim(text) },
            { title: 'WHO', text: ({ actor }) => actor, paint: (_, text) => ui.colors.cyan(text) },
            { title: 'OPERATION', text: ({ op }) => op ?? 'by hand' },
            { title: 'FIELD', text: ({ path }) => path },
            { title: 'VALUE', text: (field) => truncate(visible(JSON.stringify(field.value)), valueMax) },
          ],
          ui,
        ),
      plain: value.fields.map(({ path, value: set, commit, at, op, actor }) => [
        path,
        commit,
        at,
        actor,
        op,
        JSON.stringify(set),
      ]),
    };
  },
});

const valueMax = 40;
