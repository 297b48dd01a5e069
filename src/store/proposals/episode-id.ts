import type { Session } from '../../core/entities.ts';
import { type FeatureId, keyOf } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import { findPreset } from '../../core/presets.ts';
import { contentsOf, type State } from '../../core/state.ts';
import type { Instant } from '../../core/time.ts';
import { GitStateError } from '../../errors.ts';

/** The id of a feature that is added without one, in a session whose preset makes ids: `ep_<number>_<day>_<time>`, with
 *  a number behind it where that is taken. The number is the one in `data`, else the next.
 *  @throws USAGE in any other session */
export function episodeId(
  state: State,
  session: Session,
  data: JsonObject,
  at: Instant,
): { feature: FeatureId; data: JsonObject } {
  if (findPreset(state, session.preset)?.session_id !== 'production') {
    throw new GitStateError('USAGE', `add needs ID: session '${session.id}' makes none of its own`, {
      hint: 'see `git state help add`',
    });
  }
  const { features } = contentsOf(state, session.id);
  const numberOf = (fields: object) => (fields as { episode_number?: unknown }).episode_number;
  let last = 0;
  for (const feature of features.values()) {
    const known = numberOf(feature.data);
    if (Number.isSafeInteger(known)) last = Math.max(last, known as number);
  }
  const number = numberOf(data) ?? last + 1;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) {
    throw new GitStateError('INVALID_INPUT', `episode_number: ${number} is no whole number from 0 on`);
  }
  const moment = at.replace(/[-:Z]/g, '').replace('T', '_');
  const stem = `ep_${String(number).padStart(3, '0')}_${moment}`;
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? stem : `${stem}_${count}`;
    if (!features.has(keyOf(id)))
      return { feature: id as FeatureId, data: { ...data, episode_number: number } };
  }
}
