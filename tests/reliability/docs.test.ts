/** docs/reliability.md keeps its word: 28 rows, each with tests that exist. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ROOT } from '../scenarios/run-file.js';

const rows = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('docs/reliability.md has a row for each of the 28 faults, in order, with what holds', (t) => {
  t.deepEqual(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: 28 }, (_, i) => i + 1),
  );
  for (const [, number, fault, promise] of rows) t.true(fault.length > 5 && promise.length > 10, `row ${number}`);
});

test('docs/reliability.md names for each row tests that exist', (t) => {
  for (const [, number, , , shown] of rows) {
    const files = [...shown.matchAll(/`(tests\/[^`]+)`/g)].map(([, file]) => file);
    t.true(files.length > 0, `row ${number}`);
    for (const file of files) t.true(existsSync(join(ROOT, file)), `row ${number}: ${file}`);
  }
});
