import { resolve } from 'node:path';
import { atOf, callOf, command, namedFeature } from '../command.ts';
import type { Field, Output, Ui } from '../output.ts';
import { table } from '../table-view.ts';
import { visible } from '../text.ts';
import { counted, shortOid } from '../views/time.ts';

interface Artifact {
  path: string;
  oid: string;
  /** Bytes. */
  size: number;
}

const pipe = 'path, size in bytes, oid';
const whose = 'The feature is that of --feature, else found as for `step`.';

function artifactRecord({ path, size, oid }: Artifact): Field[] {
  return [path, size, oid];
}

function artifactTable(artifacts: readonly Artifact[], ui: Ui): string[] {
  return table(
    artifacts,
    [
      { title: 'PATH', text: ({ path }) => path, paint: (_, text) => ui.colors.bold(text) },
      { title: 'BYTES', text: ({ size }) => String(size) },
      { title: 'OID', text: ({ oid }) => shortOid(oid) },
    ],
    ui,
  );
}

export const artifactPut = command({
  operands: 'STEP FILE...',
  description:
    'Keeps files with the state, under the step that produced them: each under its own name, a folder with all that is ' +
    `in it. A file of the same name is replaced. A claimed feature needs its token. ${whose}`,
  examples: [
    'git state artifact put script script.md',
    'git state artifact put audio audio_chunks/ mix.wav --feature 003',
  ],
  pipe,
  writes: true,
  async run(invocation) {
    const { operands } = invocation;
    const step = operands.require('STEP');
    const value = await (await invocation.store()).artifactPut({
      ...namedFeature(invocation),
      step,
      files: [...operands.rest],
      ...callOf(invocation),
    });
    return {
      value,
      human: ({ colors }) => [
        `put ${counted(value.artifacts.length, 'file')} under step ${step} of ${colors.bold(value.feature)}`,
      ],
      plain: value.artifacts.map(artifactRecord),
    };
  },
});

export const artifactList = command({
  operands: '[STEP]',
  description: `Lists the artifacts of a feature, or of one of its steps, as STEP/PATH. ${whose}`,
  examples: ['git state artifact list --feature 003', 'git state artifact list audio'],
  pipe,
  writes: false,
  async run(invocation) {
    const step = invocation.operands.get('STEP');
    const value = await (await invocation.store()).artifactList({
      ...namedFeature(invocation),
      ...(step === undefined ? {} : { step }),
      ...atOf(invocation),
    });
    return {
      value,
      human: (ui) =>
        value.artifacts.length > 0
          ? artifactTable(value.artifacts, ui)
          : ['no artifacts yet: put some with `git state artifact put STEP FILE...`'],
      plain: value.artifacts.map(artifactRecord),
    };
  },
});

export const artifactGet = command<{ output?: string }>({
  operands: 'STEP PATH',
  description:
    'Prints an artifact, byte for byte; with --output it is written to a file, which is replaced only once all of it is ' +
    `there. ${whose}`,
  options: [{ flags: '--output FILE', description: 'write it to FILE' }],
  examples: [
    'git state artifact get script script.md',
    'git state artifact get audio mix.wav --output mix.wav --at v1',
  ],
  pipe: 'the artifact itself; with --output the file and its size in bytes',
  writes: false,
  async run(invocation) {
    const { operands, output, options, cwd } = invocation;
    const bytes = await (await invocation.store()).artifactGet({
      ...namedFeature(invocation),
      step: operands.require('STEP'),
      path: operands.require('PATH'),
      ...atOf(invocation),
    });
    if (options.output === undefined) {
      await copyTo(output, bytes);
      return 0;
    }
    const { writeStream } = await import('../stream-file.ts');
    const size = await writeStream(resolve(cwd, options.output), bytes);
    return {
      value: { output: options.output, size },
      human: () => [`wrote ${visible(options.output!)} (${counted(size, 'byte')})`],
      plain: [[options.output, size]],
      essential: false,
    };
  },
});

async function copyTo(output: Output, bytes: NodeJS.ReadableStream): Promise<void> {
  for await (const chunk of bytes) {
    output.write(chunk as Buffer);
    await output.ready();
    if (output.closed) return;
  }
}
