import { resolve } from 'node:path';
import { atOf, command, type Invocation, usage } from '../command.ts';
import type { Answer } from '../output.ts';
import { visible } from '../text.ts';
import { counted } from '../views/time.ts';

interface ExportFlags {
  format?: string;
  output?: string;
  dir?: string;
  follow?: boolean;
}

const pollMs = 500;

export const exportCommand = command<ExportFlags>({
  description:
    'Prints a session as a document of another program, or as JSON, CSV, Mermaid or Markdown. parallel-dev has all ' +
    'sessions that are not archived unless one is named. With --output the file is replaced in one step, and with --follow ' +
    'again after each change, so that scripts which only read it go on working. With --dir the session directories of ' +
    'production are written: for each episode ID/session.json, and ID/PHASE/ with its checkpoint.json and artifacts.',
  options: [
    {
      flags: '--format FORMAT',
      description: 'parallel-dev, orchestrator, production, json, csv, mermaid or markdown',
    },
    { flags: '--output FILE', description: 'write it to FILE; folders are made' },
    { flags: '--dir DIR', description: 'write session directories to DIR; only with production' },
    { flags: '--follow', description: 'write it again after each change, until Ctrl-C' },
  ],
  examples: [
    'git state export --format orchestrator --output .claude/orchestrator.state.json --follow',
    'git state export --format production --dir sessions',
    'git state export --format csv > features.csv',
    'git state export --format markdown >> "$GITHUB_STEP_SUMMARY"',
  ],
  pipe: 'the document itself; with --output nothing, with --dir a path a line',
  writes: false,
  async run(invocation) {
    const { options, output } = invocation;
    if (options.format === undefined) throw usage('a format is missing: --format FORMAT', invocation.name);
    if (options.dir !== undefined) return directory(invocation, options.dir);
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

async function directory(invocation: Invocation<ExportFlags>, dir: string): Promise<Answer> {
  const { flags, options, name, cwd } = invocation;
  if (options.format !== 'production') throw usage('--dir needs --format production', name);
  if (options.output !== undefined || options.follow)
    throw usage('--dir goes with neither --output nor --follow', name);
  const { writeSessionDirectory } = await import('../session-directory.ts');
  const files = await writeSessionDirectory(await invocation.store(), {
    directory: resolve(cwd, dir),
    ...(flags.session === undefined ? {} : { session: flags.session }),
    ...(flags.feature === undefined ? {} : { feature: flags.feature }),
    ...atOf(invocation),
  });
  return {
    value: { dir, files },
    human: () => [`wrote ${counted(files.length, 'file')} to ${visible(dir)}`],
    plain: files.map((path) => [path]),
  };
}

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
