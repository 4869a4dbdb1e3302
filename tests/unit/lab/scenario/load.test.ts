import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { formatProblem, loadScenario, parseScenario, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { changed, complaints, GOOD } from './scenario-text.js';

/** Claims what is said of the good scenario when one place of it is changed. */
function complains(title: string, from: string, to: string, ...expected: string[]): void {
  test(`parseScenario: ${title}`, (t) => {
    t.deepEqual(complaints(changed(from, to)), expected);
  });
}

const USUAL = { mapping: 'per-job', pin: false, constraints: {}, parameters: {} } as const;
const EVENT =
  'expected an event: at, and one of attach, detach, reqbufs, kill, hang, pause, restart and corrupt with the name of a device, or exhaust with that of a heap';
const SIZE = "expected a size: whole bytes, or a number with KiB, MiB or GiB, such as '64MiB'";

test('parseScenario: a good scenario is taken, with units converted and defaults filled in', (t) => {
  const { scenario } = parseScenario(GOOD, 'x.yaml');
  t.deepEqual(scenario, {
    name: 'small',
    duration: 10_000_000_000,
    runtime: 'virtual',
    pace: 'real',
    seed: 1,
    ties: 'fifo',
    payload: 'stamp',
    memory: {
      windows: [
        { name: 'dram', base: 0x4000_0000, size: 2 ** 30 },
        { name: 'high', base: 0x1_0000_0000, size: 2 ** 30 },
      ],
    },
    heaps: [
      { name: 'system', kind: 'system', window: 'dram' },
      { name: 'cma', kind: 'cma', window: 'dram', base: 0x7000_0000, size: 2 ** 26, alignmentOrder: 8 },
      { name: 'cma2', kind: 'cma', window: 'dram', base: 0x7400_0000, size: 2 ** 26, alignmentOrder: 8 },
    ],
    exporter: {
      policy: 'wait',
      timeout: 500_000_000,
      moveAt: 'first-map',
      moveBack: 'never',
      copyBytesPerSecond: 4e9,
      zeroBytesPerSecond: 8e9,
      quarantine: { after: 8, within: 1_000_000_000 },
    },
    cpuCache: { coherent: true, size: 2 ** 21, clean: 400, invalidate: 400 },
    debug: { sanitizer: false, callSites: false, reservationLocks: 'ww', history: false },
    devices: {
      camera: { driver: 'camera', ...USUAL, mapping: 'held' },
      gpu: { driver: 'gpu', ...USUAL },
      display: { driver: 'display', ...USUAL },
      encoder: { driver: 'encoder', ...USUAL, constraints: { contiguous: true } },
    },
    pools: { 'camera.out': { buffers: 4, allocate: 'deferred', expectTimeout: 1_000_000_000 } },
    links: [
      { from: 'camera.out', to: 'gpu.in', policy: 'block' },
      { from: 'gpu.out', to: 'display.in', policy: 'block' },
      { from: 'camera.out', to: 'encoder.in', policy: 'block' },
    ],
    timeline: [
      { at: 2_000_000_000, attach: 'encoder' },
      { at: 6_000_000_000, detach: 'encoder' },
      { at: 8_000_000_000, reqbufs: 'camera' },
    ],
    expect: { 'ledger.empty': true },
  });
});

complains(
  'an unknown key names the nearest known one, and is not reported as missing too',
  '    driver: gpu',
  '    drivr: gpu',
  'x.yaml:16:5: devices.gpu.drivr: unknown key "drivr", did you mean "driver"?',
);
complains(
  'an unknown key that is near to none lists what there is',
  'duration: 10s',
  'duration: 10s\nzzzzzzzzzz: 1',
  'x.yaml:3:1: zzzzzzzzzz: unknown key "zzzzzzzzzz"; known: name, description, duration, runtime, pace, seed, ties, ' +
    'payload, board, library, memory, heaps, exporter, cpuCache, debug, devices, pools, links, timeline, supervision, expect',
);
complains(
  'keys that mean something to JavaScript are unknown like others',
  '    driver: gpu',
  '    driver: gpu\n    __proto__: { driver: camera }',
  'x.yaml:17:5: devices.gpu.__proto__: unknown key "__proto__"; known: driver, mapping, importer, pin, profile, constraints, layout, cpu, parameters, memoryLimit',
);
complains('a missing key is reported', 'name: small\n', '', 'x.yaml:1:1: name: missing, expected a text');
complains(
  'a missing key of a device is reported where the device is',
  '    driver: display',
  '    mapping: held',
  'x.yaml:17:3: devices.display.driver: missing, expected camera, gpu, display, encoder, a path such as ./my-isp.ts, or the name of a package',
);
complains(
  'a driver that is none names the nearest',
  '    driver: gpu',
  '    driver: gpuu',
  'x.yaml:16:5: devices.gpu.driver: there is no driver and no package "gpuu", did you mean "gpu"?',
);
complains(
  'the kind of a heap is a choice',
  'name: cma, kind: cma,',
  'name: cma, kind: cna,',
  'x.yaml:9:18: heaps.1.kind: expected one of "system", "system-dma32", "system-contig", "cma", "carveout", "chunk", "protected", "device-local" (did you mean "cma"?), got "cna"',
);
complains(
  'a key of another kind of heap is unknown',
  'kind: system, window: dram',
  'kind: system, window: dram, size: 1MiB',
  'x.yaml:8:49: heaps.0.size: unknown key "size"; known: name, kind, window, cost, pool, deferredFree, cache, aged',
);
complains(
  'a duration needs a unit',
  'duration: 10s',
  'duration: 10',
  "x.yaml:2:1: duration: expected a duration with a unit: ns, us, ms, s, min or h, such as '6ms', got 10",
);
complains(
  'a duration needs a known unit',
  'at: 2s',
  'at: 2 sec',
  "x.yaml:29:7: timeline.0.at: expected a duration with a unit, such as '6ms' or '0.5s', got \"2 sec\"",
);
complains(
  'a run takes time',
  'duration: 10s',
  'duration: 0s',
  'x.yaml:2:1: duration: expected a duration of more than 0, got "0s"',
);
complains(
  'a run ends',
  'duration: 10s',
  'duration: 25h',
  'x.yaml:2:1: duration: expected a duration of at most 24h, got "25h"',
);
complains(
  'a unit of powers of 1000 is no size',
  '0x4000_0000, size: 1GiB',
  '0x4000_0000, size: 1GB',
  `x.yaml:5:40: memory.windows.0.size: ${SIZE}, got "1GB"`,
);
complains(
  'a negative size is refused',
  '0x4000_0000, size: 1GiB',
  '0x4000_0000, size: -1',
  'x.yaml:5:40: memory.windows.0.size: expected at least 0, got -1',
);
complains(
  'a fraction of a byte is refused',
  '0x4000_0000, size: 1GiB',
  '0x4000_0000, size: 1.5',
  "x.yaml:5:40: memory.windows.0.size: expected a size: whole bytes, or a number with KiB, MiB or GiB, such as '64MiB', got 1.5",
);
complains(
  'an address must be one',
  'base: 0x4000_0000',
  'base: dram',
  'x.yaml:5:21: memory.windows.0.base: expected a byte address below 2^53, such as 0x4000_0000, got "dram"',
);
complains(
  'buffers are at least 1',
  'buffers: 4',
  'buffers: 0',
  'x.yaml:23:17: pools.camera.out.buffers: expected at least 1, got 0',
);
complains(
  'buffers are at most 64',
  'buffers: 4',
  'buffers: 65',
  'x.yaml:23:17: pools.camera.out.buffers: expected at most 64, got 65',
);
complains(
  'buffers are whole',
  'buffers: 4',
  'buffers: 1.5',
  'x.yaml:23:17: pools.camera.out.buffers: expected a whole number, got 1.5',
);
complains(
  'a number is no text',
  'buffers: 4',
  "buffers: '4'",
  'x.yaml:23:17: pools.camera.out.buffers: expected a whole number, got "4"',
);
complains(
  'a depth is at least 1',
  'to: gpu.in',
  'to: gpu.in, depth: 0',
  'x.yaml:25:37: links.0.depth: expected at least 1, got 0',
);
complains(
  'a depth is at most 256',
  'to: gpu.in',
  'to: gpu.in, depth: 257',
  'x.yaml:25:37: links.0.depth: expected at most 256, got 257',
);
complains(
  'a mapping is no list',
  '{ contiguous: true }',
  '[contiguous]',
  'x.yaml:21:5: devices.encoder.constraints: expected a mapping, got a list',
);
complains(
  'a device is not empty',
  '    driver: gpu\n',
  '',
  'x.yaml:15:3: devices.gpu: expected a mapping, got nothing',
);
complains(
  'yes is no truth value',
  'contiguous: true',
  'contiguous: yes',
  'x.yaml:21:20: devices.encoder.constraints.contiguous: expected true or false, got "yes"',
);
complains(
  'a boundary mask is a power of two minus 1',
  'contiguous: true',
  'segmentBoundaryMask: 0x1000',
  'x.yaml:21:20: devices.encoder.constraints.segmentBoundaryMask: expected a power of two minus 1, such as 0xFFFF, got 4096',
);
complains(
  'a page size is a power of two',
  'contiguous: true',
  'iommu: { iovaBits: 32, pageSizes: [4KiB, 3KiB] }',
  'x.yaml:21:61: devices.encoder.constraints.iommu.pageSizes.1: expected a power of two from 4KiB, got "3KiB"',
);
complains(
  'a device has a name',
  '  gpu:\n',
  '  2d:\n',
  'x.yaml:15:3: devices.2d: expected a name: a letter, then letters, digits, - or _, got "2d"',
);
complains(
  'a link leads from a port',
  'from: gpu.out',
  'from: gpu',
  'x.yaml:26:7: links.1.from: expected device.port, such as camera.out, got "gpu"',
);
complains(
  'a pool is named by a port',
  '  camera.out: { buffers',
  '  camera: { buffers',
  'x.yaml:23:3: pools.camera: expected device.port, such as camera.out, got "camera"',
);
complains(
  'a misspelt event names the nearest',
  'attach: encoder }\n  - { at: 6s',
  'atach: encoder }\n  - { at: 6s',
  'x.yaml:29:15: timeline.0.atach: unknown key "atach", did you mean "attach"?',
);
complains(
  'an event needs a kind',
  'at: 2s, attach: encoder',
  'at: 2s',
  `x.yaml:29:5: timeline.0: ${EVENT}, got a mapping`,
);
complains(
  'an event has one kind',
  'at: 2s, attach: encoder',
  'at: 2s, attach: encoder, detach: encoder',
  `x.yaml:29:5: timeline.0: ${EVENT}, got a mapping`,
);
complains(
  'an expectation is a value or a mapping',
  'ledger.empty: true',
  'ledger.empty: [true]',
  'x.yaml:33:3: expect.ledger.empty: expected a value that it must equal, or a mapping of min, max and equals, got a list',
);
complains(
  'an unknown key of an expectation names the nearest',
  'ledger.empty: true',
  'moves: { mn: 1 }',
  'x.yaml:33:12: expect.moves.mn: unknown key "mn", did you mean "min"?',
);
complains(
  'there is a heap',
  GOOD.slice(GOOD.indexOf('heaps:'), GOOD.indexOf('devices:')),
  'heaps: []\n',
  'x.yaml:7:1: heaps: expected at least 1 entry, got an empty list',
);

test('parseScenario: all problems are told at once, in the order of the file', (t) => {
  const text = changed('duration: 10s', 'duration: 10')
    .replace('driver: gpu', 'drivr: gpu')
    .replace('buffers: 4', 'bufers: 4');
  const lines = complaints(text).map((line) => line.split(':')[1]);
  t.deepEqual(lines, ['2', '16', '23']);
});

test('parseScenario: a problem carries file, line, column, path and value, and the error the exit code', (t) => {
  const error = t.throws(() => parseScenario(changed('buffers: 4', 'buffers: 99'), 'x.yaml'), {
    instanceOf: ScenarioError,
  });
  t.is(error.exitCode, 2);
  t.deepEqual(error.problems, [
    {
      file: 'x.yaml',
      line: 23,
      column: 17,
      path: 'pools.camera.out.buffers',
      value: 99,
      message: 'expected at most 64, got 99',
    },
  ]);
});

test('parseScenario: a long value is cut', (t) => {
  const [line] = complaints(changed('driver: gpu', `driver: ${'x'.repeat(1000)}`));
  t.true(line.length < 250, line);
});

test('parseScenario: what stands behind an alias is reported where it stands', (t) => {
  const text = changed('    driver: gpu', '    driver: gpu\n    constraints: &c { contigous: true }').replace(
    '{ contiguous: true }',
    '*c',
  );
  const said = 'unknown key "contigous", did you mean "contiguous"?';
  t.deepEqual(complaints(text), [
    `x.yaml:17:23: devices.gpu.constraints.contigous: ${said}`,
    `x.yaml:17:23: devices.encoder.constraints.contigous: ${said}`,
  ]);
});

test('parseScenario: names that every object has are devices like others', (t) => {
  const text = GOOD.replaceAll('encoder', 'constructor').replace('driver: constructor', 'driver: encoder');
  t.deepEqual(complaints(text), []);
  t.deepEqual(complaints(changed('to: encoder.in', 'to: toString.in')).slice(0, 1), [
    'x.yaml:19:3: devices.encoder: no link leads to or from encoder',
  ]);
});

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

test('ScenarioDocument.problemAt: points at the deepest node of the path that the file has', (t) => {
  const { document } = parseScenario(GOOD, 'x.yaml');
  const at = (...path: (string | number)[]): unknown[] => {
    const { line, column, value } = document.problemAt(path, 'm');
    return [line, column, value];
  };
  t.deepEqual(at(), [1, 1, undefined]);
  t.deepEqual(at('devices', 'gpu'), [15, 3, undefined]);
  t.deepEqual(at('devices', 'gpu', 'driver'), [16, 5, 'gpu']);
  t.deepEqual(at('devices', 'gpu', 'parameters', 'service'), [15, 3, undefined]);
  t.deepEqual(at('links', 1), [26, 5, undefined]);
  t.deepEqual(at('links', 1, 'to'), [26, 22, 'display.in']);
  t.deepEqual(at('links', 9, 'to'), [24, 1, undefined]);
  t.deepEqual(at('pools', 'camera.out', 'buffers'), [23, 17, 4]);
});

/** The messages about the parameters of a GPU, which stand from line 17 on. */
function gpuComplaints(parameters: string): string[] {
  const text = changed('    driver: gpu', `    driver: gpu\n    parameters:\n${parameters}`);
  const { scenario, document } = parseScenario(text, 'x.yaml');
  const given = scenario.devices.gpu.parameters;
  const checked = document.validateWith(builtInDrivers.gpu.driver.parameters, given, ['devices', 'gpu', 'parameters']);
  return 'problems' in checked ? checked.problems.map(formatProblem).sort() : [];
}

test('ScenarioDocument.validateWith: problems with parameters point into the file', (t) => {
  t.deepEqual(gpuComplaints('      servise: 6ms\n      servers: 9'), [
    'x.yaml:18:7: devices.gpu.parameters.servise: unknown key "servise", did you mean "service"?',
    'x.yaml:19:7: devices.gpu.parameters.servers: expected at most 8, got 9',
  ]);
});

test('ScenarioDocument.validateWith: of several forms, the one that was meant is explained', (t) => {
  const at = 'x.yaml:18:7: devices.gpu.parameters.service';
  const forms =
    'expected a duration such as 4ms, {bytesPerSecond, perSegment?, overhead?}, {uniform: [low, high]} or {exponential: mean}';
  t.deepEqual(gpuComplaints('      service: 6'), [`${at}: ${forms}, got 6`]);
  t.deepEqual(gpuComplaints('      service: 6 parsecs'), [
    `${at}: expected a duration with a unit, such as '6ms' or '0.5s', got "6 parsecs"`,
  ]);
  t.deepEqual(gpuComplaints('      service: { bytesPerSecnd: 1e9 }'), [
    'x.yaml:18:18: devices.gpu.parameters.service.bytesPerSecnd: unknown key "bytesPerSecnd", did you mean "bytesPerSecond"?',
  ]);
  t.deepEqual(gpuComplaints('      service: { exponential: 6 }'), [
    "x.yaml:18:18: devices.gpu.parameters.service.exponential: expected a duration with a unit: ns, us, ms, s, min or h, such as '6ms', got 6",
  ]);
});

test('ScenarioDocument.validateWith: gives the value with defaults, which need not stand in the file', (t) => {
  const { document } = parseScenario(GOOD, 'x.yaml');
  const checked = document.validateWith(builtInDrivers.gpu.driver.parameters, { servers: 2 }, [
    'devices',
    'gpu',
    'parameters',
  ]);
  t.like('value' in checked && checked.value, { servers: 2, mode: 'render' });
});
