import test from 'ava';
import { importScript } from './scratch-tree.js';

interface Report {
  readonly passed: number;
  readonly skipped: number;
  write(text: string): void;
  failures(exitCode: number): number;
}
interface TestRunner {
  AvaReport: new () => Report;
  selectTests(compiled: readonly string[], words: readonly string[]): readonly string[];
}

const { AvaReport, selectTests } = await importScript<TestRunner>('test.mjs');

function reportOf(...lines: readonly string[]): Report {
  const report = new AvaReport();
  for (const line of lines) report.write(`${line}\n`);
  return report;
}

const RULE = '  ─';

test('AvaReport, counts, what passed and what failed', (t) => {
  const report = reportOf(
    '',
    '  ✔ a › passes',
    '    ℹ ✔ a note of the test',
    '  - [skip] a › later',
    '  ✘ [fail]: a › fails',
    '  ✔ [expected fail] a › known',
    RULE,
    '',
    '  a › fails',
    '  7 tests failed',
    '  ✔ quoted in a message',
    RULE,
    '',
    '  1 test failed',
    '  1 test skipped',
  );
  t.is(report.passed, 2);
  t.is(report.skipped, 1);
  t.is(report.failures(1), 1);
});

test('AvaReport, counts the same, however the text is cut and coloured', (t) => {
  const report = new AvaReport();
  for (const character of `  \u001B[32m✔\u001B[39m a\n  ✔ b\n${RULE}\n\n  \u001B[32m2 tests passed\u001B[39m\n`) {
    report.write(character);
  }
  t.is(report.passed, 2);
  t.is(report.failures(0), 0);
});

test('AvaReport, counts as failures, time-outs, exceptions, rejections and hooks', (t) => {
  const sums = ['2 tests failed', '1 hook failed', '1 uncaught exception', '3 unhandled rejections'];
  const pending = '2 tests remained pending after a timeout';
  t.is(reportOf('  ✔ a', RULE, ...[...sums, pending].map((sum) => `  ${sum}`)).failures(1), 9);
  t.is(reportOf('  ✔ a', RULE, `  ${pending}`).failures(1), 2);
});

test('AvaReport, counts one failure, when ava ends badly without saying so', (t) => {
  t.is(reportOf('  ✔ a', RULE, '', '  1 test passed').failures(1), 1);
  t.is(reportOf('  ✔ a').failures(137), 1);
});

test('AvaReport, counts one failure, when no test ran', (t) => {
  t.is(reportOf('').failures(0), 1);
});

test('selectTests, takes paths, of sources, of outputs and in part', (t) => {
  const compiled = ['dist/unit/core/a.test.js', 'dist/unit/core/b.test.js', 'dist/race/a.test.js'];
  t.deepEqual(selectTests(compiled, []), compiled);
  t.deepEqual(selectTests(compiled, ['unit/core']), compiled.slice(0, 2));
  t.deepEqual(selectTests(compiled, ['tests/unit/core/a.test.ts']), compiled.slice(0, 1));
  t.deepEqual(selectTests(compiled, ['./dist/race/a.test.js', 'core/b']), compiled.slice(1));
  t.deepEqual(selectTests(compiled, ['nothing']), []);
});
