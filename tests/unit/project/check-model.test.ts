import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { importScript, ScratchTree } from './scratch-tree.js';

interface Report {
  readonly states: number;
  readonly seconds: number;
  readonly verdict: 'complete' | 'incomplete' | 'error';
  readonly finds?: string;
  readonly message?: string;
}
interface Run {
  readonly name: string;
  readonly defines: readonly string[];
  readonly extent: string;
  readonly finds?: string;
}
interface ModelCheck {
  readReport(text: string): Report;
  problemOf(report: Report, finds?: string): string | undefined;
  selectRuns(extent: string): readonly Run[];
  checkModel(extent: string, options: { path: string }): Promise<{ problems: string[]; skipped?: string }>;
}

const { readReport, problemOf, selectRuns, checkModel } = await importScript<ModelCheck>('check-model.mjs');

/** What pan prints at the end of a search, shortened. */
function reportOf({ before = '', errors = 0, states = 825_646 }): string {
  return `${before}
(Spin Version 6.5.2 -- 6 December 2019)
	+ Partial Order Reduction

State-vector 112 byte, depth reached 192, errors: ${errors}
${String(states).padStart(9)} states, stored
   612345 states, matched
  1437991 transitions (= stored+matched)

pan: elapsed time 0.95 seconds
pan: rate 869101.05 states/second
`;
}

const failed = (message: string): string =>
  reportOf({
    before: `pan:1: ${message} (at depth 80)\npan: wrote map-move.pml.trail\nWarning: Search not completed\n`,
    errors: 1,
  });

test('readReport, tells states, seconds and that the search is complete', (t) => {
  t.deepEqual(readReport(reportOf({})), { states: 825_646, seconds: 0.95, verdict: 'complete' });
});

test('readReport, is incomplete, when memory, depth or time ran out or nothing was searched', (t) => {
  const cut = [
    'pan: reached -DMEMLIM bound\nWarning: Search not completed\n',
    'error: max search depth too small\n',
    'pan: out of memory\n',
    'Interrupted\n',
  ];
  for (const before of cut) t.is(readReport(reportOf({ before })).verdict, 'incomplete', before);
  t.is(readReport(reportOf({ states: 0 })).verdict, 'incomplete');
  t.is(readReport('').verdict, 'incomplete');
  t.is(readReport('Segmentation fault').verdict, 'incomplete');
});

test('readReport, errors are told apart, by the number of the assertion and by kind', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['assertion violated ((state[x]>>1)==(c[x]>>1))&&2)', 'pages'],
    ['assertion violated ( !((use[0]||use[1]))&&4)', 'pages'],
    ['assertion violated ((lock[0]==0)&&(lock[1]==0))&&13)', 'left'],
    ['invalid end state', 'hang'],
    ['non-progress cycle', 'endless'],
    ['assertion violated (x==1)', 'unknown'],
  ];
  for (const [message, finds] of cases) {
    const report = readReport(failed(message));
    t.is(report.verdict, 'error', message);
    t.is(report.finds, finds, message);
    t.true(report.message?.startsWith(message));
  }
});

test('problemOf, a configuration has to be complete and without error', (t) => {
  t.is(problemOf(readReport(reportOf({}))), undefined);
  t.regex(problemOf(readReport(failed('invalid end state'))) ?? '', /^hang: invalid end state/);
  t.is(problemOf(readReport('')), 'the search was not completed');
});

test('problemOf, a mutant has to fail, and in the way it must', (t) => {
  t.is(problemOf(readReport(failed('invalid end state')), 'hang'), undefined);
  t.regex(problemOf(readReport(failed('invalid end state')), 'pages') ?? '', /^expected pages, got hang/);
  t.is(problemOf(readReport(reportOf({})), 'hang'), 'the mistake was not found');
  t.is(problemOf(readReport(''), 'hang'), 'the search was not completed');
});

test('selectRuns, each extent includes the smaller ones, and every run is named once', (t) => {
  const [short, standard, deep] = ['short', 'standard', 'deep'].map((extent) => selectRuns(extent));
  t.true(short.length > 0);
  for (const run of short) t.true(standard.some(({ name }) => name === run.name));
  for (const run of standard) t.true(deep.some(({ name }) => name === run.name));
  t.is(new Set(deep.map(({ name }) => name)).size, deep.length);
  t.true(short.some(({ finds }) => finds !== undefined));
});

test('selectRuns, the switches of the runs are those of the model, and none of its mutants is left out', (t) => {
  const folder = new URL('../../../model/', import.meta.url);
  const sources = readdirSync(folder).filter((file) => file.endsWith('.pml'));
  const text = sources.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n');
  const known = new Set(text.match(/\b[A-Z][A-Z_]+\b/g));
  const used = new Set(selectRuns('deep').flatMap(({ defines }) => defines.map((define) => define.split('=')[0])));
  for (const define of used) t.true(known.has(define), define);
  for (const name of known) if (/^MUT_[A-Z]/.test(name)) t.true(used.has(name), name);
});

test('checkModel, skips and says why, where spin or a compiler is missing', async (t) => {
  const tree = new ScratchTree({});
  try {
    const result = await checkModel('short', { path: tree.root });
    t.deepEqual(result.problems, []);
    t.is(result.skipped, 'there is no spin and no C compiler here');
  } finally {
    tree.dispose();
  }
});
