import type { Context } from './api/context.ts';
import { MethodLoader } from './loading.ts';

/** What an open store can do: a method per command, in groups of which each is loaded when it is needed. */
export function storeMethods(context: Context) {
  const loader = new MethodLoader();
  const log = async () => (await import('./api/log.ts')).logMethods(context);
  return {
    ...loader.methods(async () => (await import('./api/seal.ts')).sealMethods(context), ['seal']),
    ...loader.methods(
      async () => (await import('./api/sessions.ts')).sessionMethods(context),
      [
        'init',
        'sessionStart',
        'sessionList',
        'sessionShow',
        'sessionUpdate',
        'sessionComplete',
        'sessionFail',
        'sessionArchive',
      ],
    ),
    ...loader.methods(
      async () => (await import('./api/features.ts')).featureMethods(context),
      [
        'add',
        'planLoad',
        'update',
        'remove',
        'list',
        'show',
        'ready',
        'next',
        'release',
        'complete',
        'fail',
        'retry',
        'archive',
        'stepStart',
        'stepDone',
        'stepFail',
        'stepSkip',
      ],
    ),
    ...loader.methods(
      async () => (await import('./api/claims.ts')).claimMethods(context),
      ['claim', 'heartbeat', 'claimCheck'],
    ),
    ...loader.methods(async () => (await import('./api/doctor.ts')).doctorMethods(context), ['doctor']),
    ...loader.methods(
      async () => (await import('./api/documents.ts')).documentMethods(context),
      ['state', 'importSessions', 'documentLog'],
    ),
    ...loader.methods(
      async () => (await import('./api/facts.ts')).factMethods(context),
      [
        'costAdd',
        'costSet',
        'costCheck',
        'costShow',
        'quality',
        'metrics',
        'artifactPut',
        'artifactList',
        'artifactGet',
      ],
    ),
    ...loader.methods(
      async () => (await import('./api/checkpoints.ts')).checkpointMethods(context),
      ['checkpointCreate', 'checkpointList', 'checkpointShow', 'checkpointDelete'],
    ),
    ...loader.methods(
      async () => (await import('./api/history.ts')).historyMethods(context),
      ['restore', 'blame', 'diff'],
    ),
    ...loader.methods(log, ['note']),
    ...loader.sequences(log, ['log']),
    ...loader.methods(
      async () => (await import('./api/recovery.ts')).recoveryMethods(context),
      ['recover', 'cleanup', 'cleanupFeatures', 'reset', 'presetPut', 'presetList'],
    ),
    ...loader.methods(async () => (await import('./api/resume.ts')).resumeMethods(context), ['resume']),
    ...loader.methods(
      async () => (await import('./api/overview.ts')).overviewMethods(context),
      ['status', 'workerList', 'worktreeList', 'worktreePrune'],
    ),
    ...loader.methods(async () => (await import('./api/sync.ts')).syncMethods(context), ['sync']),
    ...loader.methods(async () => (await import('./api/undo.ts')).undoMethods(context), ['undo']),
    ...loader.methods(async () => (await import('./api/verify.ts')).verifyMethods(context), ['verify']),
    ...loader.sequences(async () => (await import('./api/watch.ts')).watchMethods(context), ['watch']),

    /** What only a runner of commands needs. */
    runner: {
      /** Whether a server decides, so that looking for what is new takes an exchange with it. */
      shared: context.publisher !== null,

      /** From now on facts and steps may wait for a push that has to be made anyway; `flush` before the process ends. */
      coalesce(): void {
        if (context.publisher) context.publisher.coalescing = true;
      },

      ...loader.methods(
        async () => (await import('./api/runner.ts')).runnerMethods(context),
        [
          'flush',
          'predecessor',
          'orphans',
          'progress',
          'mergeBase',
          'merge',
          'leftWorktrees',
          'removeWorktree',
        ],
      ),
    },
  };
}
