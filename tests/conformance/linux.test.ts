/** The recorded answers of a real Linux 6.12, case by case. */
import { readdirSync, readFileSync } from 'node:fs';
import { conform } from '@dmabuf-lab/lab';
import test from 'ava';

const folders = ['linux', 'linux-random'].map((name) => new URL(`../../conformance/${name}/`, import.meta.url));
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ file: name, text: readFileSync(new URL(name, folder), 'utf8') })),
);
const report = await conform(files);

test('conform, recorded cases, has all of them', (t) => {
  t.true(report.cases.length > 300);
  t.is(report.notSupported, 0);
});

/** Random sequences are one test a file: there are many. */
const isRandom = (id: string): boolean => id.startsWith('random.');

for (const { id, title, verdict } of report.cases.filter((one) => !isRandom(one.id))) {
  test(`conform, ${id}: ${title}`, (t) => {
    t.deepEqual(verdict, { status: 'passed' });
  });
}

for (const { file } of files) {
  const random = report.cases.filter((one) => one.file === file && isRandom(one.id));
  if (random.length === 0) continue;
  test(`conform, ${random.length} random sequences of ${file}, are answered as Linux did`, (t) => {
    t.deepEqual(
      random.filter(({ verdict }) => verdict.status !== 'passed'),
      [],
    );
  });
}
