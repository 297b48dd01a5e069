import { describe, expect, it } from 'vitest';
import { pauseEndOf } from '../../src/core/backoff.ts';
import type { Feature } from '../../src/core/entities.ts';
import { matcherOf } from '../../src/core/match.ts';
import { claiming, Scene } from '../support/scene.ts';

const scene = Scene.started();
for (const [id, priority, data] of [
  ['api-1', 'P0', { labels: ['backend', 'slow'] }],
  ['API.x', 'P1', { labels: 'backend' }],
  ['web-1', null, { labels: ['front+end', 7] }],
] as const) {
  scene.do('feature.add', { feature: id, name: id, priority, data });
}
const ids = ['api-1', 'api.x', 'web-1'];
const matching = (...conditions: string[]) => {
  const matches = matcherOf(conditions);
  return ids.filter((id) => matches(scene.feature(id)));
};

describe('a condition on features', () => {
  it.each([
    [[], ids],
    [['priority=P0'], ['api-1']],
    [['priority=P0,none'], ['api-1', 'web-1']],
    [['priority=P?'], ['api-1', 'api.x']],
    [['id=api-*'], ['api-1']],
    [['id=API*'], ['api-1', 'api.x']],
    [['id=?eb-1, api-1'], ['api-1', 'web-1']],
    [['id=.*'], []],
    [['label=backend'], ['api-1']],
    [['label=BACKEND'], []],
    [['label=front+end'], ['web-1']],
    [['label=7'], []],
    [['label=*'], ['api-1', 'web-1']],
    [['label=backend', 'priority=P1'], []],
    [['label=backend', 'id=api*', 'label=sl*'], ['api-1']],
  ])('%j takes %j', (conditions, found) => {
    expect(matching(...conditions)).toEqual(found);
  });

  it.each(['', 'backend', 'label=', 'label=a,,b', 'status=pending', '=x', 'labels=x'])(
    '%j is none',
    (text) => {
      expect(() => matcherOf([text])).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    },
  );
});

describe('the pause after a failure', () => {
  const failed = (times: number): Feature => {
    const play = scene.fork();
    for (let time = 1; time <= times; time += 1) {
      play.do('feature.claim', claiming('web-1', 'W1', time));
      play.do('feature.fail', { feature: 'web-1', error: 'no', worker: 'W1' });
    }
    return play.feature('web-1');
  };
  const pauseOf = (feature: Feature, backoffMs: number) =>
    pauseEndOf(feature, backoffMs)! - Date.parse(feature.ended_claim!.at);

  it('doubles with each failure, and up to half of it is added, always the same', () => {
    const pauses = [1, 2, 3].map((times) => pauseOf(failed(times), 1000));
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(1000 * 2 ** index);
      expect(pause).toBeLessThanOrEqual(1500 * 2 ** index);
    }
    expect([1, 2, 3].map((times) => pauseOf(failed(times), 1000))).toEqual(pauses);
    expect(new Set(pauses.map((pause, index) => pause / 2 ** index)).size).toBe(3);
  });

  it('grows to ten minutes, or to what was asked for', () => {
    expect(pauseOf(failed(3), 600_000)).toBeLessThanOrEqual(900_000);
    expect(pauseOf(failed(1), 7_200_000)).toBeGreaterThanOrEqual(7_200_000);
  });

  it('is for features that failed last and wait, and not for those retried by hand', () => {
    expect(pauseEndOf(scene.feature('web-1'), 1000)).toBeNull();
    expect(pauseEndOf(failed(1), 0)).toBeNull();
    expect(pauseEndOf(failed(4), 1000)).toBeNull();
    const play = scene.fork();
    play.do('feature.claim', claiming('web-1', 'W1', 1));
    play.do('feature.release', { feature: 'web-1', worker: 'W1' });
    expect(pauseEndOf(play.feature('web-1'), 1000)).toBeNull();
    play.do('feature.claim', claiming('web-1', 'W1', 2));
    play.do('feature.fail', { feature: 'web-1', error: 'no', worker: 'W1', no_retry: true });
    play.do('feature.retry', { feature: 'web-1' });
    expect(play.feature('web-1').retry_count).toBe(1);
    expect(pauseEndOf(play.feature('web-1'), 1000)).toBeNull();
  });
});
