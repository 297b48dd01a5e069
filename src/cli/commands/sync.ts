import type { SyncAnswer } from '../../store/api/sync.ts';
import { command } from '../command.ts';
import { counted } from '../views/time.ts';

interface SyncFlags {
  adoptRemote?: string;
  retry?: string[];
  drop?: string[];
}

const append = (id: string, previous: unknown) => [...((previous as string[] | undefined) ?? []), id];

export const sync = command<SyncFlags>({
  operands: '[REMOTE]',
  description:
    'Brings this clone and the remote together: fetches what others did, applies what was done here again on top ' +
    'of it, operation by operation and by the same rules, and pushes it. What no longer applies is reported with ' +
    'the reason and kept under refs/gitstate/rejected/, to be retried or dropped.',
  options: [
    {
      flags: '--adopt-remote OID',
      description:
        "take the remote's branch although it was rewound or replaced: its tip, as a whole commit id",
    },
    {
      flags: '--retry ID',
      description: "try a rejected operation again ('all' for every one)",
      parse: append,
    },
    { flags: '--drop ID', description: "forget a rejected operation ('all' for every one)", parse: append },
  ],
  examples: ['git state sync', 'git state sync origin --retry all'],
  pipe: 'pulled, pushed, replayed, rejected',
  writes: true,
  async run({ operands, options, flags, store: open }) {
    const store = await open();
    const named = operands.get('REMOTE') ?? flags.remote;
    const value = await store.sync({
      ...(named === undefined ? {} : { remote: named }),
      ...(options.adoptRemote === undefined ? {} : { adoptRemote: options.adoptRemote }),
      ...(options.retry === undefined ? {} : { retry: options.retry }),
      ...(options.drop === undefined ? {} : { drop: options.drop }),
    });
    const { pulled, pushed, replayed, rejected } = value;
    return {
      value,
      human: () => lines(value),
      plain: [[String(pulled), String(pushed), String(replayed), String(rejected.length)]],
    };
  },
});

function lines({ remote, pulled, pushed, replayed, rejected, kept }: SyncAnswer): string[] {
  const again = replayed > 0 ? `, ${replayed} of them applied again` : '';
  const done =
    pulled + pushed === 0
      ? `in step with '${remote}'`
      : `${counted(pulled, 'commit')} from '${remote}', ${counted(pushed, 'commit')} to it${again}`;
  return [
    done,
    ...rejected.map(({ id, subject, message }) => `rejected ${id}: ${subject}: ${message}`),
    ...(kept.length > 0
      ? [
          `${counted(kept.length, 'rejected operation')} kept: see \`git state help sync\` for --retry and --drop`,
        ]
      : []),
  ];
}
