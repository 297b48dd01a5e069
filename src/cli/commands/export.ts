import { resolve } from 'node:path';
import { atOf, command, type Invocation, usage } from '../command.ts';

interface ExportFlags {
  format?: string;
  output?: string;
  follow?: boolean;
}

const pollMs = 500;

export const exportCommand = command<ExportFlags>({
  description:
    'Prints a session as a document of another program, or as JSON, CSV, Mermaid or Markdown. parallel-dev has all ' +
    'sessions that are not archived unless one is named. With --output the file is replaced in one step, and with --follow ' +
    'again after each change, so that scripts which only read it go on working.',
  options: [
    {
      flags: '--format FORMAT',
      description: 'parallel-dev, orchestrator, production, json, csv, mermaid or markdown',
    },
    { flags: '--output FILE', description: 'write it to FILE; folders are made' },
    { flags: '--follow', description: 'write it again after each change, until Ctrl-C' },
  ],
  examples: [
    'git state export --format orchestrator --output .claude/orchestrator.state.json --follow',
    'git state export --format csv > features.csv',
    'git state export --format markdown >> "$GITHUB_STEP_SUMMARY"',
  ],
  pipe: 'the document itself; with --output nothing',
  writes: false,
  async run(invocation) {
    const { options, output } = invocation;
    if (options.format === undefined) throw usage('a format is missing: --format FORMAT', invocation.name);
    if (options.follow && options.output === undefined)
      throw usage('--follow needs --output FILE', invocation.name);
    if (options.output === undefined) {
      output.write(await documentText(invocation, options.format));
      return 0;
    }
    await writeDocument(invocation, options.format, options.output);
    return options.follow ? follow(invocation, options.format, options.output) : 0;
  },
});

async function documentText(invocation: Invocation<ExportFlags>, format: string): Promise<string> {
  const { exportDocument } = await import('../../compat/documents.ts');
  const { flags, env } = invocation;
  const session = flags.session ?? (env.variables.GITSTATE_SESSION || undefined);
  const document = await exportDocument(await invocation.store(), {
    format,
    ...(session === undefined ? {} : { session }),
    ...atOf(invocation),
  });
  return typeof document === 'string' ? document : `${JSON.stringify(document, null, 2)}\n`;
}

async function writeDocument(
  invocation: Invocation<ExportFlags>,
  format: string,
  file: string,
): Promise<void> {
  const text = await documentText(invocation, format);
  const { writeText } = await import('../text-file.ts');
  await writeText(resolve(invocation.cwd, file), text);
}

/** Ends by a signal only. */
async function follow(invocation: Invocation<ExportFlags>, format: string, file: string): Promise<number> {
  const store = await invocation.store();
  for (let seen = await store.tip(); ; ) {
    await invocation.env.sleep(pollMs);
    const tip = await store.tip();
    if (tip === seen) continue;
    seen = tip;
    await writeDocument(invocation, format, file);
  }
}
