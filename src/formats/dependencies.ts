import type { Feature } from '../core/entities.ts';
import type { Warning } from './imported.ts';
import { type Path, pathTo } from './reading.ts';

/** Dependencies that can never be met: they are taken as they are, and reported. */
export function dependencyWarnings(features: readonly Feature[], path: Path): Warning[] {
  const known = new Map(features.map((feature) => [feature.id as string, feature]));
  return [...unknownDependencies(known, path), ...circles(known, path)];
}

function* unknownDependencies(known: ReadonlyMap<string, Feature>, path: Path): Iterable<Warning> {
  for (const { id, status, dependencies } of known.values()) {
    const place = pathTo(pathTo(path, id), 'dependencies');
    for (const [index, dependency] of dependencies.entries()) {
      if (known.has(dependency)) continue;
      const effect = status === 'pending' ? ': it stays blocked' : '';
      const message = `feature '${id}' depends on '${dependency}', which does not exist${effect}`;
      yield { path: pathTo(place, index), stored: dependency, computed: null, message };
    }
  }
}

/** Every circle that is met on a walk which visits each feature once. */
function circles(known: ReadonlyMap<string, Feature>, path: Path): Warning[] {
  const warnings: Warning[] = [];
  const finished = new Set<string>();
  for (const start of known.keys()) {
    // An explicit trail: a chain of 100,000 dependencies must not exhaust the call stack.
    const trail: { id: string; next: number }[] = [];
    const onTrail = new Map<string, number>();
    const enter = (id: string) => {
      onTrail.set(id, trail.length);
      trail.push({ id, next: 0 });
    };
    if (!finished.has(start)) enter(start);
    while (trail.length > 0) {
      const top = trail.at(-1)!;
      const dependency = known.get(top.id)!.dependencies[top.next];
      top.next += 1;
      if (dependency === undefined) {
        trail.pop();
        onTrail.delete(top.id);
        finished.add(top.id);
      } else if (onTrail.has(dependency)) {
        const circle = [...trail.slice(onTrail.get(dependency)), { id: dependency }].map(({ id }) => id);
        warnings.push(circleWarning(circle, pathTo(pathTo(path, top.id), 'dependencies')));
      } else if (known.has(dependency) && !finished.has(dependency)) {
        enter(dependency);
      }
    }
  }
  return warnings;
}

function circleWarning(circle: string[], path: Path): Warning {
  const message = `dependencies form a circle: ${circle.join(' -> ')}`;
  return { path, stored: circle.at(-1)!, computed: null, message };
}
