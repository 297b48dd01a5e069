import { expect } from 'vitest';
import type { Change } from '../../src/core/diff.ts';
import { emptyContents, type State } from '../../src/core/state.ts';

/** A diff, applied as a patch. */

/** Every entity of a state, under a name of its own. */
export function entitiesOf(state: State): Map<string, unknown> {
  const entities = new Map<string, unknown>([['store  store', state.store]]);
  for (const preset of state.presets.values()) entities.set(`preset  ${preset.name}`, preset);
  for (const session of state.sessions.values()) {
    entities.set(`session ${session.id} ${session.id}`, session);
    const contents = state.contents.get(session.id.toLowerCase()) ?? emptyContents;
    for (const one of contents.features.values()) entities.set(`feature ${session.id} ${one.id}`, one);
    for (const one of contents.workers.values()) entities.set(`worker ${session.id} ${one.id}`, one);
    for (const one of contents.checkpoints.values())
      entities.set(`checkpoint ${session.id} ${one.name}`, one);
    for (const [key, one] of contents.costs.entries()) entities.set(`cost ${session.id} ${key}`, one);
    for (const one of contents.artifacts.values()) entities.set(`artifact ${session.id} ${one.path}`, one);
  }
  return structuredClone(entities);
}

/** The entities with a diff applied to them, in which each `from` has to be what stands there. */
export function patched(entities: Map<string, unknown>, changes: Change[]): Map<string, unknown> {
  for (const { entity, session, id, path, from, to } of changes) {
    const name = `${entity} ${session ?? ''} ${id}`;
    if (path === '') {
      expect(entities.get(name) ?? null).toEqual(from);
      if (to === null) entities.delete(name);
      else entities.set(name, structuredClone(to));
      continue;
    }
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replace(/~1/g, '/').replace(/~0/g, '~'));
    const last = keys.pop()!;
    const parent = keys.reduce(
      (value, key) => value[key] as Record<string, unknown>,
      entities.get(name) as Record<string, unknown>,
    );
    expect(parent[last] ?? null).toEqual(from);
    parent[last] = structuredClone(to);
  }
  return entities;
}
