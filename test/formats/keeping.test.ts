import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { recall, remember, rememberAbsent, type Shape } from '../../src/formats/keeping.ts';

/** The contract of what stands in an entity's `data`: documents that were imported long ago must still come back. */

const shape: Shape = {
  derived: ['total', 'figures'],
  nested: { figures: { derived: ['mean'] }, scores: {} },
  children: ['items'],
  passing: ['holder'],
};
const node = (value: JsonObject) => ({ value, path: '$.x' });

const written = {
  name: 'n',
  holder: null,
  total: 3,
  figures: { mean: 1 },
  scores: { a: 1 },
  items: { i: {} },
};

test('a document that says the same leaves nothing behind', () => {
  expect(remember('f', shape, node(written), written)).toEqual({ data: {}, warnings: [] });
  expect(recall('f', shape, written, {})).toEqual(written);
});

test('unknown fields stand at their place', () => {
  const document = { ...written, odd: 1, figures: { mean: 1, unit: 'm' }, scores: { a: 1, remark: 'r' } };
  const { data } = remember('f', shape, node(document), written);
  expect(data).toEqual({ f: { odd: 1, figures: { unit: 'm' }, scores: { remark: 'r' } } });
  expect(recall('f', shape, written, data)).toEqual(document);
  expect(recall('another', shape, written, data)).toEqual(written);
});

test('what the document wrote otherwise stands beside what we would have written', () => {
  const { name: _, ...document } = { ...written, holder: 'W1', scores: null, figures: {} };
  const { data } = remember('f', shape, node(document), written, { at: 1 });
  expect(data).toEqual({
    'f.as_imported': {
      moment: { at: 1 },
      fields: {
        '/name': { computed: 'n' },
        '/holder': { computed: null, document: 'W1' },
        '/scores': { computed: { a: 1 }, document: null },
        '/figures/mean': { computed: null },
      },
    },
  });
  expect(recall('f', shape, written, data, { at: 1 })).toEqual(document);
});

test('a note holds as long as we would still write the same', () => {
  const { name: _, ...document } = { ...written, holder: 'W1' };
  const { data } = remember('f', shape, node(document), written, { at: 1 });
  expect(recall('f', shape, { ...written, name: 'new' }, data, { at: 1 })).toEqual({
    ...document,
    name: 'new',
  });
  expect(recall('f', shape, { ...written, holder: 'W2' }, data, { at: 1 })).toMatchObject({ holder: 'W2' });
  // It would be null again, but something has happened since.
  expect(recall('f', shape, written, data, { at: 2 })).toEqual({ ...document, holder: null });
});

test('a field that we come to know wins over an unknown one', () => {
  const data = { f: { error: { code: 7 } } };
  expect(recall('f', shape, { error: 'boom' }, data)).toEqual({ error: 'boom' });
  expect(recall('f', shape, {}, data)).toEqual({ error: { code: 7 } });
});

test('computed fields are reported, and stay absent or null', () => {
  const document = { ...written, total: 4, figures: { mean: '1' } };
  expect(remember('f', shape, node(document), written)).toEqual({
    data: {},
    warnings: [
      { path: '$.x.total', stored: 4, computed: 3 },
      { path: '$.x.figures.mean', stored: '1', computed: 1 },
    ],
  });
  const { figures: _, ...bare } = { ...written, total: null };
  const { data } = remember('f', shape, node(bare), written);
  expect(recall('f', shape, { ...written, total: 9, figures: { mean: 9 } }, data)).toEqual(bare);
});

test('an entity that the document does not have is written once it is another', () => {
  const data = rememberAbsent('f', written);
  expect(recall('f', shape, written, data)).toBeUndefined();
  expect(recall('f', shape, { ...written, name: 'new' }, data)).toEqual({ ...written, name: 'new' });
});

test('data that somebody has overwritten does no harm', () => {
  for (const odd of [null, 1, 'x', [1]]) {
    expect(recall('f', shape, written, { f: odd, 'f.as_imported': odd })).toEqual(written);
    expect(recall('f', shape, written, { 'f.as_imported': { moment: odd, fields: odd } })).toEqual(written);
    expect(recall('f', shape, written, { 'f.as_imported': { fields: { '/name': odd } } })).toEqual(written);
  }
});

test('keys are keys, whatever they are called', () => {
  const document = {
    constructor: 1,
    'a/b': { '~0': null },
    toString: { valueOf: [] },
  } as unknown as JsonObject;
  const { data } = remember('f', {}, node(document), { 'a/b': 1, '~1': 2 });
  expect(recall('f', {}, { 'a/b': 1, '~1': 2 }, data)).toEqual(document);
});
