import { GitStateError } from '../errors.ts';
import type { Feature } from './entities.ts';

/** A condition on features as people write it: `priority=P0,P1`, `id=api-*`, `label=backend`. One of its values has to
 *  fit; in values `*` stands for any characters and `?` for one. `priority=none` is a feature without one. */

const fields = ['priority', 'id', 'label'] as const;
type Field = (typeof fields)[number];

/** Whether all conditions hold for a feature. @throws INVALID_INPUT for one that cannot be read */
export function matcherOf(conditions: readonly string[] = []): (feature: Feature) => boolean {
  const tests = conditions.map(testOf);
  return (feature) => tests.every((test) => test(feature));
}

function testOf(condition: string): (feature: Feature) => boolean {
  const { field, values } = parse(condition);
  const patterns = values.map((value) => patternOf(value, field === 'id' ? 'i' : ''));
  return (feature) => wordsOf(feature, field).some((word) => patterns.some((pattern) => pattern.test(word)));
}

function parse(condition: string): { field: Field; values: string[] } {
  const [, name, text] = /^\s*(\w+)\s*=(.*)$/s.exec(condition) ?? [];
  const field = fields.find((one) => one === name);
  const values = (text ?? '').split(',').map((value) => value.trim());
  if (field && values.every((value) => value !== '')) return { field, values };
  throw new GitStateError('INVALID_INPUT', `'${condition}' is no condition on features`, {
    hint: "conditions look like 'priority=P0,P1', 'id=api-*' or 'label=backend'",
  });
}

/** What a condition on `field` looks at. Labels stand in the list `labels` of the feature's data. */
function wordsOf({ id, priority, data }: Feature, field: Field): string[] {
  if (field === 'id') return [id];
  if (field === 'priority') return [priority ?? 'none'];
  const { labels } = data;
  return Array.isArray(labels) ? labels.filter((label) => typeof label === 'string') : [];
}

/** Ids are the same whatever the case of their letters. */
function patternOf(value: string, flags: 'i' | ''): RegExp {
  const parts = value.split(/([*?])/).map((part) => {
    if (part === '*') return '.*';
    return part === '?' ? '.' : part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`, `s${flags}`);
}
