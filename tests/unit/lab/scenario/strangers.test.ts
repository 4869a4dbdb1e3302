/** What somebody who writes a driver for the first time gets wrong in a scenario. */
import { join } from 'node:path';
import { explainFile, loadScenario, ScenarioError } from '@dmabuf-lab/lab';
import test, { type ExecutionContext } from 'ava';
import { driverFolder, sink } from '../loader/driver-folder.js';
import { changed } from './scenario-text.js';

async function told(t: ExecutionContext, files: Readonly<Record<string, string>>, file = 'x.yaml'): Promise<string[]> {
  const folder = driverFolder(t, files);
  const error = await t.throwsAsync<ScenarioError>(loadScenario(join(folder, file), file), {
    instanceOf: ScenarioError,
  });
  return error.message.split('\n');
}

const withDevice = (device: string): string => changed('devices:\n', `devices:\n  mine: ${device}\n`);

test.serial('a parameter beside driver is told to belong into parameters', async (t) => {
  const text = withDevice('{ driver: ./own.ts, gain: 2, gian: 2 }');
  const [first, second] = await told(t, { 'x.yaml': text, 'own.ts': sink() });
  t.regex(first, /devices\.mine\.gain: gain is a parameter of \.\/own\.ts: put it into parameters$/);
  t.regex(second, /devices\.mine\.gian: unknown key "gian"/);
  const [builtIn] = await told(t, { 'x.yaml': withDevice('{ driver: gpu, service: 4ms }') });
  t.regex(builtIn, /devices\.mine\.service: service is a parameter of gpu: put it into parameters$/);
  const [unusable] = await told(t, { 'x.yaml': withDevice('{ driver: ./none.ts, gain: 2 }') });
  t.regex(unusable, /devices\.mine\.gain: unknown key "gain"/);
});

test.serial('explain tells it too, also of what --what-if has changed', async (t) => {
  const text = withDevice('{ driver: ./own.ts, gain: 2 }');
  const folder = driverFolder(t, { 'x.yaml': text, 'own.ts': sink() });
  const message = /devices\.mine\.gain: gain is a parameter of \.\/own\.ts: put it into parameters$/;
  await t.throwsAsync(explainFile(join(folder, 'x.yaml'), 'x.yaml'), { instanceOf: ScenarioError, message });
  const driver = explainFile(join(folder, 'x.yaml'), 'x.yaml', { whatIf: ['devices.mine.driver=gpu'] });
  await t.throwsAsync(driver, { instanceOf: ScenarioError, message: /devices\.mine\.gain: unknown key "gain"/ });
});

test('the name of a package in a scope has to be quoted', async (t) => {
  const [first] = await told(t, { 'x.yaml': withDevice('{ driver: @me/isp, parameters: {} }') });
  t.regex(first, /not valid YAML: Plain value cannot start with reserved character @; put it in quotes: "@me\/isp"$/);
});

test('a driver in place of a scenario is told what to do with it', async (t) => {
  t.deepEqual(await told(t, { 'own.ts': sink() }, 'own.ts'), [
    'own.ts: this is a module and no scenario: `dmabuf-lab check-driver` checks a driver, and a scenario runs it, which names it in driver:',
  ]);
});
