/** What `npm run explore` reports of a protocol. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { DEAD_SOURCES } from './boards/sources-board.js';

const COMMAND = fileURLToPath(new URL('./explore-command.js', import.meta.url));

const explore = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [COMMAND, ...args])).stdout;

/** The cells of the rows of a protocol, table by table. */
const rowsOf = (printed: string, name: string): string[][] =>
  printed
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, protocol]) => protocol === name)
    .map((cells) => cells.slice(2, -1));

const numberOf = (text: string): number => Number(text.replaceAll(',', ''));

test('explore, of one protocol, prints its bounds and mutants, then its steps and how often each rare path was taken', async (t) => {
  const { name, mutants, rarePaths, searches } = DEAD_SOURCES;
  const [bounds, coverage, ...more] = rowsOf(await explore('--protocol', name, '--seconds', '600'), name);
  t.deepEqual(more, []);
  const schedules = bounds[0]
    .split('; ')
    .map((one) => numberOf(/[\d,]+(?= \(complete\)$| of all|$)/.exec(one)?.[0] ?? ''));
  t.is(schedules.length, searches.length);
  t.is(bounds.at(-1), `${mutants.length} of ${mutants.length}`);
  const [steps, paths] = coverage;
  const total = schedules.reduce((sum, one) => sum + one, 0);
  t.true(numberOf(steps) > 2 * total, `${steps} steps in ${total} schedules`);
  const taken = paths.split('; ').map((one) => /^(.*) \(([\d,]+)\)$/.exec(one)?.slice(1) ?? []);
  t.deepEqual(
    taken.map(([path]) => path),
    rarePaths,
  );
  for (const [path, times] of taken) t.true(numberOf(times) > 0 && numberOf(times) <= total, `${path}: ${times}`);
  // In each schedule nobody dies, or one or two do.
  const deaths = taken.filter(([path]) => path.startsWith('deaths: ')).map(([, times]) => numberOf(times));
  t.is(
    deaths.reduce((sum, one) => sum + one, 0),
    total,
  );
});

test('explore, of a protocol that there is not, names those that there are and ends with 2', async (t) => {
  const error = await t.throwsAsync(explore('--protocol', 'nothing of this kind'));
  t.like(error, { code: 2, stdout: '' });
  t.true(error?.message.includes(`\n  ${DEAD_SOURCES.name}\n`), error?.message);
});
