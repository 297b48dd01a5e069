import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { groupPairs } from '../src/core/group.ts';

/** Draws the import arrows of src/ and fails on one that points back. */

const root = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort();
const sources = new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));

/** What a layer may import: layers and single files of src/, and packages. Its own files always. */
const layers: Record<string, { from: string[]; packages?: string[] }> = {
  'errors.ts': { from: [] },
  'env.ts': { from: ['errors.ts'] },
  core: { from: ['errors.ts'], packages: ['zod'] },
  codec: { from: ['errors.ts', 'core'], packages: ['zod'] },
  formats: { from: ['errors.ts', 'core'], packages: ['zod', 'yaml'] },
  git: { from: ['errors.ts'], packages: ['simple-git', 'write-file-atomic', 'isomorphic-git'] },
  store: { from: ['errors.ts', 'env.ts', 'core', 'codec', 'git'], packages: ['zod', 'write-file-atomic'] },
  compat: { from: ['errors.ts', 'env.ts', 'core', 'formats', 'store'] },
  runner: { from: ['errors.ts', 'env.ts', 'core', 'store'] },
  cli: {
    from: ['errors.ts', 'env.ts', 'core', 'formats', 'store', 'runner', 'compat'],
    packages: ['commander', 'yaml', 'zod', 'write-file-atomic'],
  },
  'index.ts': { from: ['errors.ts', 'env.ts', 'core', 'store', 'runner', 'compat'] },
};

const layerOf = (path: string) => path.split('/')[0]!;

/** The source without comments and without what stands in strings, so that only code is judged. */
function codeOf(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (found) => (found.startsWith('/') ? '' : "''"),
  );
}

interface Import {
  target: string;
  /** Whether it is loaded only when it is needed. */
  lazy: boolean;
}

/** The modules that a source names: `import … from`, `export … from`, bare imports and `import()`. */
function importsOf(source: string): Import[] {
  const plain = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/g;
  return [...plain.matchAll(pattern)].map(([, named, bare, lazy]) => ({
    target: (named ?? bare ?? lazy)!,
    lazy: lazy !== undefined,
  }));
}

/** Every arrow: from a file to a file of src/, or to a package. */
const arrows = [...sources].flatMap(([path, source]) =>
  importsOf(source).map(({ target, lazy }) => ({
    from: path,
    to: target.startsWith('.') ? normalize(join(dirname(path), target)) : target,
    local: target.startsWith('.'),
    lazy,
  })),
);
const localArrows = arrows.filter(({ local }) => local);

test('the arrows are drawn', () => {
  expect(localArrows.length).toBeGreaterThan(200);
  expect(localArrows).toContainEqual({
    from: 'codec/message.ts',
    to: 'core/describe.ts',
    local: true,
    lazy: false,
  });
  const source =
    "import a from './a.ts';\nimport type {\n  B,\n} from './b.ts';\nexport { c } from './c.ts';\nimport './d.ts';\n";
  const all = importsOf(`${source}// import e from './e.ts';\nconst f = await import('./f.ts');`);
  expect(all.map(({ target, lazy }) => (lazy ? `${target} later` : target))).toEqual([
    './a.ts',
    './b.ts',
    './c.ts',
    './d.ts',
    './f.ts later',
  ]);
});

test('every arrow ends at a file that is there, named with its ending', () => {
  expect(localArrows.filter(({ to }) => !sources.has(to))).toEqual([]);
});

test('every file belongs to a layer', () => {
  expect(files.filter((path) => !(layerOf(path) in layers))).toEqual([]);
});

test('no arrow points back', () => {
  const wrong = localArrows.filter(({ from, to }) => {
    const [layer, target] = [layerOf(from), layerOf(to)];
    return layer !== target && !layers[layer]?.from.includes(target);
  });
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
});

test('packages stay in the layers that need them', () => {
  const wrong = arrows.filter(({ from, to, local }) => {
    return !local && !to.startsWith('node:') && !layers[layerOf(from)]?.packages?.includes(to.split('/')[0]!);
  });
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
});

test('core reaches nothing of the system', () => {
  const system = arrows.filter(({ from, to }) => layerOf(from) === 'core' && to.startsWith('node:'));
  expect(system).toEqual([]);
  const impure =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\b|\bsetTimeout\b|\bawait\b|\bglobalThis\b/;
  const pure = files.filter((path) => ['core', 'codec', 'formats'].includes(layerOf(path)));
  expect(pure.filter((path) => impure.test(codeOf(sources.get(path)!)))).toEqual([]);
});

test('no file leads back to itself', () => {
  // What is loaded when it is needed finds everything else in place.
  const eager = localArrows.filter(({ lazy }) => !lazy);
  const targets = groupPairs(eager.map(({ from, to }) => [from, to] as const));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' -> '));
    if (start >= 0 || finished.has(path)) return;
    for (const to of targets.get(path) ?? []) visit(to, [...trail, path]);
    finished.add(path);
  };
  for (const path of files) visit(path, []);
  expect(cycles).toEqual([]);
});

describe('the process and the console', () => {
  const mayUse = (path: string) => layerOf(path) === 'cli' || path === 'env.ts';
  /** They start children and take care of their signals. */
  const mayImport = (path: string) => mayUse(path) || path === 'git/run.ts' || layerOf(path) === 'runner';

  test('are used as globals by cli/ and env.ts alone', () => {
    const used = /(?<![\w.'$])(?:process|console)\s*[.[]/;
    const imports = (path: string) =>
      importsOf(sources.get(path)!).some(({ target }) => target === 'node:process');
    const wrong = files.filter(
      (path) => !mayUse(path) && !(mayImport(path) && imports(path)) && used.test(codeOf(sources.get(path)!)),
    );
    // The library is opened where the caller is.
    expect(wrong.filter((path) => path !== 'index.ts')).toEqual([]);
    const index = codeOf(sources.get('index.ts')!).match(/\b(?:process|console)\.\w+/g) ?? [];
    expect(index.filter((use) => use !== 'process.cwd')).toEqual([]);
  });

  test('node:process is imported where children are', () => {
    const wrong = arrows.filter(({ from, to }) => /^(node:)?(process|console)$/.test(to) && !mayImport(from));
    expect(wrong).toEqual([]);
  });
});

describe('words', () => {
  test('git/ speaks of Git alone', () => {
    const ours = /\b(?:feature|claim|lease|worker|checkpoint|session|gitstate)s?\b/i;
    const found = files
      .filter((path) => layerOf(path) === 'git')
      .flatMap((path) =>
        (codeOf(sources.get(path)!).match(new RegExp(ours, 'gi')) ?? []).map((word) => `${path}: ${word}`),
      );
    expect(found).toEqual([]);
  });
});

test('no file is longer than 500 lines', () => {
  const long = [...sources].filter(([, source]) => source.split('\n').length > 500);
  expect(long.map(([path]) => relative(root, join(root, path)))).toEqual([]);
});
