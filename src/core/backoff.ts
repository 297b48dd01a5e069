import type { Feature } from './entities.ts';
import { millisecondsOf } from './time.ts';

/** Longest pause between two attempts, unless the first one is longer already. */
const pauseMsMax = 600_000;

/** When the attempt after a failed one may begin, in milliseconds since 1970; null where nothing failed last. The pause
 *  doubles with every failure, and up to half of it is added. It follows from the feature alone, so that every runner
 *  comes to the same moment. */
export function pauseEndOf(feature: Feature, backoffMs: number): number | null {
  const { id, status, error, retry_count, ended_claim } = feature;
  // Retried by hand there is no error any more, and no reason to wait.
  const failedLast = status === 'pending' && error !== null && ended_claim?.by === 'feature.fail';
  if (!failedLast || backoffMs === 0) return null;
  const pauseMs = Math.min(backoffMs * 2 ** Math.min(retry_count - 1, 30), Math.max(backoffMs, pauseMsMax));
  return millisecondsOf(ended_claim.at) + Math.round(pauseMs * (1 + spread(`${id}/${retry_count}`) / 2));
}

/** A number from 0 to 1 that looks random, and is the same for the same text (FNV-1a). */
function spread(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash / 2 ** 32;
}
