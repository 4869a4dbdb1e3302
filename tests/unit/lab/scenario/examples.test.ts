import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { loadDriver, loadScenario, scenarioJsonSchema, scenarioSchema } from '@dmabuf-lab/lab';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import { parse } from 'yaml';
import { changed, GOOD } from './scenario-text.js';

// From tests/dist/unit/lab/scenario, where the compiled test lies.
const root = new URL('../../../../../', import.meta.url);
const fileOf = (example: string): URL => new URL(`examples/${example}`, root);
/** `sharing` holds constraint files too. */
const isScenario = (example: string): boolean => /^links:/m.test(readFileSync(fileOf(example), 'utf8'));
const examples = ['', 'boards/', 'drivers/', 'sharing/'].flatMap((folder) =>
  readdirSync(new URL(`examples/${folder}`, root))
    .filter((file) => file.endsWith('.yaml') && isScenario(`${folder}${file}`))
    .map((file) => `${folder}${file}`),
);
const accepts = new Ajv2020({ strict: true, strictTypes: false, allErrors: true }).compile(scenarioJsonSchema());

test('examples: there are the four', (t) => {
  for (const name of ['late-encoder', 'late-encoder-4k', 'vb2-held', 'encoder-off'])
    t.true(examples.includes(`${name}.yaml`));
});

for (const example of examples) {
  test(`examples/${example}: loads, is named like its file, and its drivers take their parameters`, async (t) => {
    const { scenario, document, directory } = await loadScenario(fileOf(example).pathname);
    t.is(`${scenario.name}.yaml`, basename(example));
    for (const [name, { driver, parameters }] of Object.entries(scenario.devices)) {
      const { driver: loaded } = await loadDriver(driver, directory);
      const checked = document.validateWith(loaded.parameters, parameters, ['devices', name, 'parameters']);
      t.deepEqual('problems' in checked ? checked.problems : [], []);
    }
  });

  test(`examples/${example}: is valid by the JSON Schema, and names it`, (t) => {
    const text = readFileSync(fileOf(example), 'utf8');
    const up = '../'.repeat(example.split('/').length);
    t.true(text.startsWith(`# yaml-language-server: $schema=${up}docs/scenario.schema.json\n`));
    accepts(parse(text));
    t.deepEqual(accepts.errors ?? [], []);
  });
}

test('scenarioJsonSchema: docs/scenario.schema.json is current; write it anew when this fails', (t) => {
  const committed: unknown = JSON.parse(readFileSync(new URL('docs/scenario.schema.json', root), 'utf8'));
  t.deepEqual(committed, scenarioJsonSchema());
});

test('scenarioJsonSchema: describes every key', (t) => {
  const undescribed: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('properties' in value) {
      for (const [key, child] of Object.entries(value.properties as Record<string, { description?: unknown }>)) {
        if (typeof child.description !== 'string') undescribed.push(`${path}.${key}`);
      }
    }
    for (const [key, child] of Object.entries(value)) visit(child, `${path}.${key}`);
  };
  visit(scenarioJsonSchema(), '');
  t.deepEqual(undescribed, []);
});

test('scenarioJsonSchema: refuses what the loader refuses in single values', (t) => {
  t.true(accepts(parse(GOOD)));
  for (const [from, to] of [
    ['driver: gpu', 'drivr: gpu'],
    ['buffers: 4', 'buffers: 65'],
    ['0x4000_0000, size: 1GiB', '0x4000_0000, size: 1GB'],
    ['at: 2s, attach: encoder', 'at: 2s'],
    ['name: small\n', ''],
  ]) {
    t.false(accepts(parse(changed(from, to))), to);
  }
});

test('docs/scenarios.md: names every key of the schema', (t) => {
  const page = readFileSync(new URL('docs/scenarios.md', root), 'utf8');
  const keys = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('properties' in value) for (const key of Object.keys(value.properties as object)) keys.add(key);
    for (const child of Object.values(value)) visit(child);
  };
  visit(scenarioJsonSchema());
  t.true(keys.size > 50);
  const absent = [...keys].filter((key) => !new RegExp(`\`(?:[a-z]+\\.)*${key}\``).test(page));
  t.deepEqual(absent, []);
});

test('docs/scenarios.md: every fragment is valid by the schema of its keys', (t) => {
  const page = readFileSync(new URL('docs/scenarios.md', root), 'utf8');
  const fragments = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(
    ([, text]) => parse(text) as Record<string, unknown> | null,
  );
  const device = (constraints: unknown): unknown => ({ devices: { d: { driver: 'gpu', constraints } } });
  const filled = fragments.filter((fragment) => fragment !== null);
  t.true(filled.length >= 11);
  for (const { constraints, ...rest } of filled) {
    const part = constraints === undefined ? rest : device(constraints);
    const checked = scenarioSchema.partial().safeParse(part);
    t.deepEqual(checked.error?.issues ?? [], [], JSON.stringify(part));
  }
});
