import { parseScenario, ScenarioError } from '@dmabuf-lab/lab';
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
    shutdown: 60_000_000_000,
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
  'x.yaml:3:1: zzzzzzzzzz: unknown key "zzzzzzzzzz"; known: name, description, duration, shutdown, runtime, pace, seed, ties, ' +
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
