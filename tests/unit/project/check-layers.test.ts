import test from 'ava';
import { type Findings, importScript, ScratchTree } from './scratch-tree.js';

const { checkLayers } = await importScript<{ checkLayers(root: string): Findings }>('check-layers.mjs');

const MANIFESTS = {
  'packages/core/package.json': '{ "exports": { "./base": "x", "./driver": "x", "./memory": "x", "./runtime": "x" } }',
  'packages/heaps/package.json': '{ "exports": { ".": "x" } }',
  'packages/drivers/package.json': '{ "exports": { ".": "x" } }',
  'packages/lab/package.json': '{ "exports": { ".": "x" } }',
};

/** Problems in a tree with the given sources below packages/. */
function problemsOf(sources: Readonly<Record<string, string>>): readonly string[] {
  const files = Object.entries(sources).map(([path, text]) => [`packages/${path}`, text]);
  const tree = new ScratchTree({ ...MANIFESTS, ...Object.fromEntries(files) });
  try {
    return checkLayers(tree.root).problems;
  } finally {
    tree.dispose();
  }
}

const ALLOWED: Readonly<Record<string, readonly [path: string, text: string]>> = {
  'a lower folder of core': ['core/src/sync/a.ts', "import { x } from '../base/index.js';"],
  'the same folder of core': ['core/src/sync/a.ts', "import { x } from './b.js'; export * from '../sync/c.js';"],
  'worker threads in the runtime': ['core/src/runtime/a.ts', "import { Worker } from 'node:worker_threads';"],
  'comlink below the runtime': [
    'core/src/runtime/threads/a.ts',
    "import * as c from 'comlink/dist/esm/node-adapter.mjs';",
  ],
  'core from heaps': ['heaps/src/a.ts', "import { x } from '@dmabuf-lab/core/memory';"],
  'the driver port from drivers': ['drivers/src/gpu/a.ts', "import { x } from '@dmabuf-lab/core/driver';"],
  'heaps and drivers from lab': ['lab/src/a.ts', "import '@dmabuf-lab/heaps'; import '@dmabuf-lab/drivers';"],
  'atomics in a words file': ['core/src/sync/dma-resv-words.ts', 'Atomics.load(words, 0);'],
  'plain words in the virtual runtime': [
    'core/src/runtime/virtual/virtual-words.ts',
    'class VirtualWords extends AtomicWords { x = this.cells[0]; }',
  ],
  'a view over what is no control word': ['core/src/base/a.ts', 'new Uint8Array(pixels.buffer); new Int32Array(4);'],
  'atomics in atomic-words': ['core/src/base/atomic-words.ts', 'Atomics.load(words, 0);'],
  'atomics in the threads runtime': ['core/src/runtime/threads/a.ts', 'Atomics.notify(words, 0);'],
  'forbidden names in comments, strings and members of a driver': [
    'drivers/src/gpu/a.ts',
    "// Date.now(), Atomics\nconst text = 'Math.random() and setTimeout'; frame.Date = { performance: text };",
  ],
  'the wall clock outside drivers': ['drivers/src/media/a.ts', 'setTimeout(() => {}, 1); Date.now();'],
};

for (const [what, [path, text]] of Object.entries(ALLOWED)) {
  test(`checkLayers, allows, ${what}`, (t) => {
    t.deepEqual(problemsOf({ [path]: text }), []);
  });
}

const REFUSED: Readonly<Record<string, readonly [path: string, text: string, message: RegExp]>> = {
  'a subclass of control words': [
    'core/src/sync/a-words.ts',
    'class Own extends AtomicWords { x = this.cells[0]; }',
    /extends AtomicWords\. Go through AtomicWords/,
  ],
  'a view over control words': [
    'core/src/driver/a.ts',
    'new Int32Array(this.parts.words.buffer)[0] = 1;',
    /makes a view over control words/,
  ],
  'a view over the control memory of a worker': [
    'core/src/runtime/threads/a.ts',
    'new DataView(started.control);',
    /makes a view over control words/,
  ],
  'the cells of control words by name': ['lab/src/a.ts', "words['cells'][0] = 1;", /reaches for the cells/],
  'an import of a higher folder': [
    'core/src/base/a.ts',
    "\nimport { x } from '../sync/index.js';",
    /^packages\/core\/src\/base\/a\.ts:2: core\/base → core\/sync runs up .*declare a port/,
  ],
  'a type from a higher folder': ['core/src/memory/a.ts', "import type { X } from '../dma-buf/x.js';", /runs up/],
  'an export from a higher folder': ['core/src/sync/a.ts', "export * from '../runtime/x.js';", /runs up/],
  'an export of names over several lines': [
    'core/src/sync/a.ts',
    "export {\n  x,\n} from '../driver/x.js';",
    /runs up/,
  ],
  'a dynamic import of a higher folder': ['core/src/sync/a.ts', "await import('../migration/x.js');", /runs up/],
  'an import type of a higher folder': ['core/src/sync/a.ts', "let x: import('../driver/x.js').X;", /runs up/],
  'a worker started from a higher folder': [
    'core/src/migration/a.ts',
    "new URL('../runtime/x.js', import.meta.url);",
    /core\/migration → core\/runtime runs up/,
  ],
  'a folder of the same rank': [
    'core/src/memory/a.ts',
    "import { x } from '../constraints/index.js';",
    /core\/memory → core\/constraints .*independent/,
  ],
  'a folder that is none of core': ['core/src/utils/a.ts', '', /core has no folder 'utils'/],
  'a file beside the folders of core': ['core/src/index.ts', '', /core has no folder ''/],
  'worker threads outside the runtime': ['core/src/sync/a.ts', "import { Worker } from 'node:worker_threads';", /Only/],
  'comlink outside the runtime': [
    'lab/src/a.ts',
    "import { wrap } from 'comlink';",
    /Only packages\/core\/src\/runtime/,
  ],
  'a package from core': ['core/src/driver/a.ts', "import '@dmabuf-lab/heaps';", /core → heaps .*no package/],
  'drivers from heaps': ['heaps/src/a.ts', "import '@dmabuf-lab/drivers';", /heaps → drivers/],
  'heaps from drivers': ['drivers/src/media/a.ts', "import '@dmabuf-lab/heaps';", /drivers → heaps/],
  'lab from heaps': ['heaps/src/a.ts', "import '@dmabuf-lab/lab';", /heaps → lab/],
  'a path that a package does not export': [
    'heaps/src/a.ts',
    "import { x } from '@dmabuf-lab/core/memory/sg-table.js';",
    /does not export\. Import one of @dmabuf-lab\/core\/base/,
  ],
  'a file of another package': [
    'heaps/src/a.ts',
    "import { x } from '../../core/src/base/index.js';",
    /outside its package/,
  ],
  'its own package by name': ['heaps/src/a.ts', "import { x } from '@dmabuf-lab/heaps';", /relative path/],
  'more of core than the driver port, in drivers': [
    'drivers/src/media/a.ts',
    "import { x } from '@dmabuf-lab/core/runtime';",
    /passes by the driver port/,
  ],
  'the wall clock in a driver': ['drivers/src/camera/a.ts', 'const t = Date.now();', /uses Date\. Use ctx\.now\(\)/],
  'performance in a driver': ['drivers/src/camera/a.ts', 'performance.now();', /uses performance/],
  'chance in a driver': ['drivers/src/gpu/a.ts', 'const x = Math.random();', /uses Math\.random/],
  'a timer in a driver': ['drivers/src/display/a.ts', 'setTimeout(() => {}, 1);', /uses setTimeout/],
  'a timer of globalThis in a driver': [
    'drivers/src/display/a.ts',
    'globalThis.setInterval(f, 1);',
    /uses setInterval/,
  ],
  'worker threads in a driver': ['drivers/src/encoder/a.ts', "import 'worker_threads';", /imports 'worker_threads'/],
  'atomics in a driver, even in a words file': ['drivers/src/gpu/ring-words.ts', 'Atomics.load(w, 0);', /uses Atomics/],
  'atomics outside the words files': ['core/src/runtime/a.ts', 'Atomics.load(w, 0);', /uses Atomics.*words\.ts/],
  'a package without a rule': ['gadgets/src/a.ts', '', /packages\/gadgets: .*PACKAGES/],
};

for (const [what, [path, text, message]] of Object.entries(REFUSED)) {
  test(`checkLayers, refuses, ${what}`, (t) => {
    const problems = problemsOf({ [path]: text });
    t.is(problems.length, 1, problems.join('\n'));
    t.regex(problems[0], message);
  });
}

test('checkLayers, notes and does not refuse, a file of more than 400 lines', (t) => {
  const tree = new ScratchTree({ ...MANIFESTS, 'packages/core/src/base/long.ts': '// line\n'.repeat(401) });
  t.teardown(() => tree.dispose());
  const { problems, notes } = checkLayers(tree.root);
  t.deepEqual(problems, []);
  t.regex(notes[0], /long\.ts has 401 lines/);
});
