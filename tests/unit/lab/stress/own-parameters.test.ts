import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { checkOwnParameters, readOwnParameters, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { driverFolder } from '../loader/driver-folder.js';

test('readOwnParameters, a mapping itself or a file, gives the values as they are written', async (t) => {
  const folder = driverFolder(t, { 'camera.yaml': 'rate: 30\nwidth: 0x40\n' });
  const pathOf = (name: string): string => join(folder, name);
  t.deepEqual((await readOwnParameters(' { "rate": 30 }', pathOf)).value, { rate: 30 });
  t.deepEqual((await readOwnParameters('camera.yaml', pathOf)).value, { rate: 30, width: 64 });
});

test('readOwnParameters, what is no mapping or cannot be read, is refused with its place', async (t) => {
  const folder = driverFolder(t, { 'list.yaml': '- 1\n', 'empty.yaml': '' });
  writeFileSync(join(folder, 'bytes.yaml'), Buffer.from([0xff, 0xfe, 0x00]));
  for (const [given, message] of [
    ['{"rate": ', /^--parameters:1:10: not valid YAML/],
    ['list.yaml', /^list\.yaml:1:1: expected a mapping of keys to values, got/],
    ['empty.yaml', /^empty\.yaml: the file is empty, expected a mapping of parameters$/],
    ['none.yaml', /^none\.yaml: no such file$/],
    ['bytes.yaml', /^bytes\.yaml: not a text file/],
  ] as const) {
    const reading = readOwnParameters(given, (name) => join(folder, name));
    await t.throwsAsync(reading, { instanceOf: ScenarioError, message }, given);
  }
});

test('checkOwnParameters, what a driver does not take, is refused all at once, with place and expectation', async (t) => {
  const { driver } = builtInDrivers.camera;
  const second = readOwnParameters('{ 1', String, 2);
  t.regex((await t.throwsAsync(second)).message, /--parameters \(2\)/);
  const good = await readOwnParameters('{ "width": 64, "height": 48, "rate": 30 }', String);
  t.notThrows(() => checkOwnParameters(driver, good));
  const bad = await readOwnParameters('{ "width": "x", "height": 48,\n  "rat": 30 }', String);
  const error = t.throws(() => checkOwnParameters(driver, bad), { instanceOf: ScenarioError });
  const lines = error?.message.split('\n') ?? [];
  t.regex(lines.join('\n'), /^--parameters:1:3: width: expected .*, got "x"$/m);
  t.regex(lines.join('\n'), /^--parameters:2:3: rat: unknown key "rat", did you mean "rate"\?/m);
});
