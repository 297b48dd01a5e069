import { copyFile, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GitStateError } from '../../errors.ts';
import { command, opIdOf, usage } from '../command.ts';
import { counted } from '../views/time.ts';

interface ImportFlags {
  format?: string;
  dryRun?: boolean;
}

export const importCommand = command<ImportFlags>({
  operands: 'FILE',
  description:
    'Takes the sessions of another program’s document in, all or none, value for value; `export` gives it back. FILE is ' +
    'read and never changed. One that is damaged is copied to FILE.damaged-TIME and refused. --session gives the session ' +
    'another id. What was not taken as it stands is said as a warning.',
  options: [
    { flags: '--format FORMAT', description: 'parallel-dev, orchestrator or production' },
    { flags: '--dry-run', description: 'say what would come in, and take nothing' },
  ],
  examples: [
    'git state import --format orchestrator .claude/orchestrator.state.json',
    'git state import --format parallel-dev .worktrees/.parallel-dev-state.json --dry-run',
  ],
  pipe: 'the id of each session',
  writes: true,
  async run(invocation) {
    const { options, operands, output, flags, cwd, env } = invocation;
    if (options.format === undefined) throw usage('a format is missing: --format FORMAT', invocation.name);
    const { importDocument } = await import('../../compat/documents.ts');
    const file = resolve(cwd, operands.require('FILE'));
    const document = await readJson(file, env.now());
    const store = await invocation.store();
    const { sessions, warnings, commit, changed, durability } = await importDocument(store, {
      format: options.format,
      document,
      ...(flags.session === undefined ? {} : { session: flags.session }),
      ...(options.dryRun ? { dryRun: true } : {}),
      ...opIdOf(invocation),
    });
    for (const { path, message, stored, computed } of warnings) {
      output.warning(
        `${path}: ${message ?? `${JSON.stringify(stored)} is stored, ${JSON.stringify(computed)} adds up`}`,
      );
    }
    const [session = null] = sessions;
    return {
      value: { session, sessions, warnings, commit, changed, durability },
      human: ({ colors }) => [
        `${options.dryRun ? 'would import' : 'imported'} ${counted(sessions.length, 'session')}: ${colors.bold(sessions.join(', '))}`,
      ],
      plain: sessions.map((id) => [id]),
    };
  },
});

/** @throws INVALID_INPUT; a damaged file is set aside as a copy first, so that nothing of it is lost. */
async function readJson(file: string, nowMs: number): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new GitStateError('INVALID_INPUT', `cannot read '${file}': ${code}`, {
      hint: 'give the path of a document',
      cause: error,
    });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const backup = `${file}.damaged-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}`;
    await copyFile(file, backup);
    throw new GitStateError('INVALID_INPUT', `'${file}' is no valid JSON: ${(error as Error).message}`, {
      hint: `a copy stands in '${backup}'; mend it, then import that`,
      details: { file, backup },
      cause: error,
    });
  }
}
