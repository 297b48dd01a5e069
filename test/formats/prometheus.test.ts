import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stopsOn } from '../../src/core/budgets.ts';
import { exportPrometheus } from '../../src/formats/prometheus.ts';
import { text } from '../support/arbitraries.ts';
import { at, claiming, Scene, sessionRules } from '../support/scene.ts';
import { refusalOf } from './support.ts';

function worked(): Scene {
  const scene = Scene.started({ steps: ['plan', 'code'] });
  for (const feature of ['a', 'b']) scene.do('feature.add', { feature });
  scene.do('feature.claim', claiming('a', 'W1'));
  scene.do('step.done', { feature: 'a', step: 'plan', worker: 'W1' });
  scene.do('cost.add', {
    feature: 'a',
    amount: 0.1,
    tokens: { in: 5, out: 7, cached: 1 },
    step: 'plan',
    operation: 'x',
  });
  scene.do('cost.add', { feature: 'a', amount: 0.2, tokens: null, step: null, operation: 'x' });
  scene.do('step.done', { feature: 'a', step: 'code', worker: 'W1' });
  scene.do('feature.complete', { feature: 'a', worker: 'W1' });
  return scene.do('quality.set', { feature: 'a', scores: { depth: 9.2 } });
}

const line = /^[a-z_]+\{([a-z]+="(\\[\\"n]|[^"\\\n])*",?)+\} -?\d+(\.\d+)?(e-?\d+)?$/;

test('the metrics of a session', () => {
  const written = exportPrometheus({ state: worked().state });
  const lines = written.split('\n');
  expect(written.endsWith('\n')).toBe(true);
  for (const expected of [
    'gitstate_features{session="s",status="pending"} 1',
    'gitstate_features{session="s",status="completed"} 1',
    'gitstate_features{session="s",status="archived"} 0',
    'gitstate_features_ready{session="s"} 1',
    'gitstate_features_blocked{session="s"} 0',
    'gitstate_workers{session="s",status="idle"} 1',
    'gitstate_retries{session="s"} 0',
    'gitstate_cost_total{session="s"} 0.3',
    'gitstate_step_cost_total{session="s",step="plan"} 0.1',
    'gitstate_tokens_total{session="s",kind="out"} 7',
    'gitstate_feature_seconds_avg{session="s"} 300',
    'gitstate_step_seconds_avg{session="s",step="plan"} 60',
    'gitstate_step_seconds_avg{session="s",step="code"} 180',
    'gitstate_success_ratio{session="s"} 1',
    'gitstate_step_success_ratio{session="s",step="plan"} 1',
    'gitstate_quality_score_avg{session="s",score="depth"} 9.2',
  ]) {
    expect(lines).toContain(expected);
  }
});

test('each family is described once, and its samples stand together', () => {
  const scene = worked();
  scene.do('session.start', sessionRules(), 'second');
  scene.do('session.start', sessionRules(), 'old');
  scene.do('session.archive', {}, 'old');
  const lines = exportPrometheus({ state: scene.state }).trimEnd().split('\n');
  let family = '';
  const seen = new Set<string>();
  for (const one of lines) {
    const head = /^# (HELP|TYPE) (\S+) (.+)$/.exec(one);
    if (head?.[1] === 'HELP') {
      family = head[2]!;
      expect(seen).not.toContain(family);
      seen.add(family);
    } else if (head) {
      expect([head[2], head[3]]).toEqual([family, family.endsWith('_total') ? 'counter' : 'gauge']);
    } else {
      expect(one).toMatch(line);
      expect(one.startsWith(`${family}{`)).toBe(true);
    }
  }
  const sessions = new Set(lines.map((one) => /session="([^"]*)"/.exec(one)?.[1]).filter(Boolean));
  expect([...sessions]).toEqual(['s', 'second']);
  expect(exportPrometheus({ state: scene.state, session: 'old' })).toContain('session="old"');
  expect(refusalOf(() => exportPrometheus({ state: scene.state, session: 'no' })).code).toBe(
    'SESSION_NOT_FOUND',
  );
});

test('money that is used up keeps features from being ready', () => {
  const scene = worked();
  scene.do('session.update', { budgets: { day: 0.3 } });
  const written = exportPrometheus({
    state: scene.state,
    isStopped: (session, contents) => stopsOn(session, contents, at(30)),
  });
  expect(written).toContain('gitstate_features_ready{session="s"} 0');
});

test('the value of a label is one word of the line, whatever it is', () => {
  fc.assert(
    fc.property(text, (score) => {
      fc.pre(score !== '__proto__');
      const scene = Scene.started().do('feature.add', { feature: 'f' });
      scene.do('quality.set', { feature: 'f', scores: { [score]: 1 } });
      const found = exportPrometheus({ state: scene.state })
        .split('\n')
        .filter((one) => one.startsWith('gitstate_quality_score_avg{'));
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(line);
      const value = /score="(.*)"\} 1$/su.exec(found[0]!)![1]!;
      const unescaped = value.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
      expect(unescaped).toBe(score);
    }),
  );
});
