import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { changed, complaints, GOOD } from './scenario-text.js';

const NOT_YAML: Readonly<Record<string, readonly [text: string, ...expected: string[]]>> = {
  'an empty file': ['', 'x.yaml: the file is empty, expected a scenario'],
  'a file of comments': ['# nothing\n', 'x.yaml: the file is empty, expected a scenario'],
  'a list at the top': ['- 1\n', 'x.yaml:1:1: expected a mapping of keys to values, got a list'],
  'a text at the top': ['\nhello\n', 'x.yaml:2:1: expected a mapping of keys to values, got "hello"'],
  'an open bracket': [
    'a: [1, 2\nb: 3\n',
    'x.yaml:2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  'a duplicate key': ['a: 1\n"b c": 1\n"b c": 2\n', 'x.yaml:3:1: duplicate key "b c", it stands above already'],
  'a tab': ['a:\n\tb: 1\n', 'x.yaml:2:1: indented by a tab, expected spaces'],
  'a second document': [
    'a: 1\n---\nb: 1\n',
    'x.yaml:2:1: a second document starts here, expected one scenario in a file',
  ],
  'an unknown tag': ['a: !foo 1\n', 'x.yaml:1:4: not valid YAML: Unresolved tag: !foo'],
  'an alias of nothing': ['a: *x\n', 'x.yaml:1:4: nothing is named &x'],
  'an alias of what it stands in': ['a: &x\n  b: *x\n', 'x.yaml:2:6: *x stands inside of &x'],
  'an alias bomb': [
    `a: &a [${'1,'.repeat(9)}]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: &d [${'*c,'.repeat(9)}]\n`,
    'x.yaml: too many aliases (*name), refused as an alias bomb',
  ],
  'a flood of aliases': [
    `a: &a 1\nb: [${'*a,'.repeat(2000)}]\n`,
    'x.yaml: too many aliases (*name), refused as an alias bomb',
  ],
  'brackets by the thousand': [`a: ${'['.repeat(20_000)}`, 'x.yaml: nested too deeply for a scenario'],
  'matching brackets by the thousand': [
    `a: ${'['.repeat(1000)}${']'.repeat(1000)}`,
    'x.yaml: nested too deeply for a scenario',
  ],
  'dashes by the thousand': [`${'- '.repeat(100_000)}a\n`, 'x.yaml: nested too deeply for a scenario'],
};
for (const [title, [text, ...expected]] of Object.entries(NOT_YAML)) {
  test(`parseScenario: ${title} is refused`, (t) => t.deepEqual(complaints(text), expected));
}

test('parseScenario: line ends of Windows and a byte order mark change nothing', (t) => {
  t.deepEqual(complaints(`\uFEFF${GOOD.replaceAll('\n', '\r\n')}`), []);
  const text = changed('driver: gpu', 'drivr: gpu').replaceAll('\n', '\r\n');
  t.deepEqual(complaints(text), ['x.yaml:16:5: devices.gpu.drivr: unknown key "drivr", did you mean "driver"?']);
});

test('loadScenario: a file that is none is refused in one line', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'dmabuf-lab-scenario-'));
  try {
    const write = async (name: string, content: string | Uint8Array): Promise<string> => {
      await writeFile(join(directory, name), content);
      return join(directory, name);
    };
    const cases: [path: string, message: string][] = [
      [join(directory, 'absent.yaml'), 'no such file'],
      [directory, 'is a directory, expected a scenario file'],
      [await write('zero.yaml', new Uint8Array([110, 0, 1])), 'not a text file, expected YAML in UTF-8'],
      [await write('latin.yaml', new Uint8Array([110, 58, 32, 0xe9, 10])), 'not a text file, expected YAML in UTF-8'],
      [await write('empty.yaml', ''), 'the file is empty, expected a scenario'],
      [await write('large.yaml', 'a'.repeat(2 ** 20 + 1)), 'too large for a scenario, got 1048577 bytes'],
    ];
    for (const [path, message] of cases) {
      await t.throwsAsync(loadScenario(path), { instanceOf: ScenarioError, message: `${path}: ${message}` });
    }
    const { scenario } = await loadScenario(await write('good.yaml', GOOD));
    t.is(scenario.name, 'small');
  } finally {
    await rm(directory, { recursive: true });
  }
});
