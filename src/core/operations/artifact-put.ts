import * as z from 'zod';
import { FeatureId, idFault, Oid, StepName } from '../ids.ts';
import { requireRight, requireStep } from '../rules.ts';
import { contentsOf, putContents, putFeature, requireFeature, requireSession, type State } from '../state.ts';
import { type OperationIn, right, sessionOperation } from './define.ts';

const partPattern = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;

/** Says what is wrong with a relative path as an artifact's name; null when nothing is. */
export function artifactPathFault(path: string): string | null {
  if (Buffer.byteLength(path) > 255) return 'is longer than 255 bytes';
  for (const part of path.split('/')) {
    if (!partPattern.test(part)) return `has the part '${part.slice(0, 40)}', which is no file name here`;
    const fault = idFault(part.replaceAll(' ', '_'), 255);
    if (fault) return `has the part '${part.slice(0, 40)}', which ${fault}`;
    if (part.endsWith(' ')) return `has the part '${part.slice(0, 40)}', which ends in a space`;
  }
  return null;
}

export const ArtifactPath = z.string().superRefine((path, context) => {
  const fault = artifactPathFault(path);
  if (fault) context.addIssue({ code: 'custom', message: `'${path.slice(0, 60)}' ${fault}` });
});

/** Files that a step produced are kept with the state; the bytes are stored before, and named by their blobs. */
export const ArtifactPut = sessionOperation('artifact.put', () => ({
  feature: FeatureId,
  step: StepName,
  files: z.array(z.strictObject({ path: ArtifactPath, oid: Oid, size: z.int().min(0) })).min(1),
  ...right,
}));
export type ArtifactPut = OperationIn<typeof ArtifactPut>;

/** @throws FEATURE_NOT_FOUND, STEP_NOT_FOUND, NOT_HOLDER, STALE_TOKEN */
export function applyArtifactPut(state: State, { session, args, at }: ArtifactPut): State {
  requireSession(state, session);
  const feature = requireFeature(state, session, args.feature);
  requireRight(feature, args);
  requireStep(feature, args.step);
  let { artifacts } = contentsOf(state, session);
  for (const { path, oid } of args.files) {
    const place = `${feature.id}/${args.step}/${path}`;
    artifacts = artifacts.with(place, { path: place, oid });
  }
  return putFeature(putContents(state, session, { artifacts }), session, { ...feature, updated_at: at });
}

export function describeArtifactPut({ args }: ArtifactPut): string {
  const { files, step, feature } = args;
  const what = files.length === 1 ? files[0]!.path : `${files.length} files`;
  return `put ${what} to step ${step} of ${feature}`;
}
