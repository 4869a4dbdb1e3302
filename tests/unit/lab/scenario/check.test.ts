import test from 'ava';
import { changed, complaints, GOOD } from './scenario-text.js';

/** Claims what is said of the good scenario when one place of it is changed. */
function complains(title: string, from: string, to: string, ...expected: string[]): void {
  test(`checkScenario: ${title}`, (t) => {
    t.deepEqual(complaints(changed(from, to)), expected);
  });
}

complains(
  'a link comes from a known device',
  'from: gpu.out',
  'from: gpo.out',
  'x.yaml:26:7: links.1.from: unknown device "gpo", did you mean "gpu"?',
);
complains(
  'a link leads to a known device',
  'to: display.in',
  'to: monitor.in',
  'x.yaml:17:3: devices.display: no link leads to or from display',
  'x.yaml:26:22: links.1.to: unknown device "monitor"; known: camera, gpu, display, encoder',
);
complains(
  'a link stands once',
  '  - { from: gpu.out, to: display.in }',
  '  - { from: gpu.out, to: display.in }\n  - { from: gpu.out, to: display.in, depth: 2 }',
  'x.yaml:27:5: links.2: there is a link from gpu.out to display.in above already',
);
complains(
  'an input takes one link',
  '  - { from: camera.out, to: encoder.in }',
  '  - { from: camera.out, to: encoder.in }\n  - { from: camera.out, to: display.in }',
  'x.yaml:28:25: links.3.to: display.in is fed by gpu.out already, an input takes one link',
);
complains(
  'the pipeline has no circle',
  '  - { from: camera.out, to: encoder.in }',
  '  - { from: camera.out, to: encoder.in }\n  - { from: display.out, to: camera.in }',
  'x.yaml:28:5: links.3: the pipeline runs in a circle: display → camera → gpu → display',
);
complains(
  'a device does not feed itself',
  'from: gpu.out, to: display.in',
  'from: display.out, to: display.in',
  'x.yaml:26:5: links.1: the pipeline runs in a circle: display → display',
);
complains(
  'each device is linked',
  '  - { from: camera.out, to: encoder.in }\n',
  '',
  'x.yaml:19:3: devices.encoder: no link leads to or from encoder',
);
complains(
  'a pool belongs to a known device',
  '  camera.out: { buffers',
  '  camra.out: { buffers',
  'x.yaml:23:3: pools.camra.out: unknown device "camra", did you mean "camera"?',
);
complains(
  'a pool does not shrink',
  'buffers: 4',
  'buffers: 4, growTo: 3',
  'x.yaml:23:29: pools.camera.out.growTo: expected at least the 4 of buffers, got 3',
);
complains(
  'a pool allocates from a known heap',
  'buffers: 4',
  'allocate: cmaa',
  'x.yaml:23:17: pools.camera.out.allocate: unknown heap "cmaa", did you mean "cma"?',
);
complains(
  'a pool expects known devices',
  'buffers: 4',
  'expect: [gpu, encodr]',
  'x.yaml:23:31: pools.camera.out.expect.1: unknown device "encodr", did you mean "encoder"?',
);
complains(
  'the name of the exporter is taken',
  GOOD,
  GOOD.replaceAll('encoder', 'exporter').replace('driver: exporter', 'driver: encoder'),
  'x.yaml:19:3: devices.exporter: "exporter" is reserved, expected another name',
);

test('checkScenario: there are at most 16 devices, and at least one', (t) => {
  const withMore = (count: number): string => {
    const names = Array.from({ length: count }, (_, i) => `d${i}`);
    return changed(
      'devices:\n',
      `devices:\n${names.map((name) => `  ${name}: { driver: display }\n`).join('')}`,
    ).replace('links:\n', `links:\n${names.map((name) => `  - { from: camera.out, to: ${name}.in }\n`).join('')}`);
  };
  t.deepEqual(complaints(withMore(12)), []);
  t.deepEqual(complaints(withMore(13)), ['x.yaml:11:1: devices: expected at most 16 devices, got 17']);
  const head = GOOD.slice(0, GOOD.indexOf('devices:'));
  t.deepEqual(complaints(`${head}devices: {}\nlinks: []\n`), ['x.yaml:11:1: devices: expected at least one device']);
});

complains(
  'windows are whole pages at the base',
  'base: 0x1_0000_0000',
  'base: 0x1_0000_0800',
  'x.yaml:6:21: memory.windows.1.base: expected a multiple of the page size 4096, got 0x100000800',
);
complains(
  'windows are whole pages in size',
  '0x1_0000_0000, size: 1GiB',
  '0x1_0000_0000, size: 5KiB',
  'x.yaml:6:42: memory.windows.1.size: expected a multiple of the page size 4096, got 5120',
);
complains(
  'windows do not overlap',
  'base: 0x1_0000_0000',
  'base: 0x7FFF_F000',
  'x.yaml:6:21: memory.windows.1.base: window "high" 0x7FFFF000..0xBFFFEFFF overlaps window "dram" 0x40000000..0x7FFFFFFF',
);
complains('windows may abut', 'base: 0x1_0000_0000', 'base: 0x8000_0000');
const further = (...bases: string[]): string =>
  bases.map((base, i) => `    - { name: w${i}, base: ${base}, size: 4GiB }\n`).join('');
complains(
  'windows hold at most 16 GiB',
  'heaps:\n',
  `${further('0x10_0000_0000', '0x20_0000_0000', '0x30_0000_0000', '0x40_0000_0000')}heaps:\n`,
  'x.yaml:4:3: memory.windows: all windows together may hold at most 16GiB, got 18GiB',
);
complains(
  'windows may hold 14 GiB',
  'heaps:\n',
  `${further('0x10_0000_0000', '0x20_0000_0000', '0x30_0000_0000')}heaps:\n`,
);
complains(
  'a window holds at most 4 GiB',
  '0x1_0000_0000, size: 1GiB',
  '0x1_0000_0000, size: 5GiB',
  'x.yaml:6:42: memory.windows.1.size: window "high" may hold at most 4GiB, got 5GiB; split it',
);
complains('a window may hold 4 GiB', '0x1_0000_0000, size: 1GiB', '0x1_0000_0000, size: 4GiB');
complains(
  'windows have different names',
  'name: high',
  'name: dram',
  'x.yaml:6:9: memory.windows.1.name: there is a window "dram" above already',
);
complains(
  'heaps have different names',
  'name: cma2',
  'name: cma',
  'x.yaml:10:7: heaps.2.name: there is a heap "cma" above already',
);
complains(
  'no heap has the name of a deferred allocation',
  'name: cma2',
  'name: deferred',
  'x.yaml:10:7: heaps.2.name: "deferred" is what pools say to allocate later, expected another name',
);
complains(
  'a heap lies in a known window',
  'kind: system, window: dram',
  'kind: system, window: drm',
  'x.yaml:8:35: heaps.0.window: unknown window "drm", did you mean "dram"?',
);
complains(
  'a window has one system heap',
  'kind: system, window: dram }',
  'kind: system, window: dram }\n  - { name: s2, kind: system, window: dram }',
  'x.yaml:9:31: heaps.1.window: window "dram" belongs to system heap "system" already',
);
complains(
  'a cma heap lies inside its window',
  'base: 0x7400_0000, size: 64MiB',
  'base: 0x7FFF_F000, size: 8KiB',
  'x.yaml:10:44: heaps.2.base: heap "cma2" 0x7FFFF000..0x80000FFF must lie inside window "dram" 0x40000000..0x7FFFFFFF',
);
complains(
  'a cma heap may end where its window does',
  'base: 0x7400_0000, size: 64MiB',
  'base: 0x7FFF_F000, size: 4KiB',
);
complains(
  'a cma heap is whole pages',
  'base: 0x7400_0000, size: 64MiB',
  'base: 0x7400_0000, size: 1KiB',
  'x.yaml:10:63: heaps.2.size: expected a multiple of the page size 4096, got 1024',
);
complains(
  'cma heaps do not overlap',
  'base: 0x7400_0000',
  'base: 0x73FF_F000',
  'x.yaml:10:44: heaps.2.base: heap "cma2" 0x73FFF000..0x77FFEFFF overlaps heap "cma" 0x70000000..0x73FFFFFF',
);
complains(
  'a system heap has a page',
  'window: dram, base: 0x7000_0000, size: 64MiB }\n  - { name: cma2, kind: cma, window: dram, base: 0x7400_0000, size: 64MiB }',
  'window: dram, base: 0x4000_0000, size: 1GiB }',
  'x.yaml:8:5: heaps.0: heap "system" has less than a page: its window "dram" is taken by cma heaps',
);
complains(
  'the aged region lies in the window',
  'kind: system, window: dram',
  'kind: system, window: dram, aged: { region: 2GiB }',
  'x.yaml:8:57: heaps.0.aged.region: expected a size from 4KiB to the 1GiB of window "dram", got 2GiB',
);
complains(
  'the windows of a device are physical, so it has no IOMMU',
  '{ contiguous: true }',
  '{ windows: [{ base: 0, size: 1GiB }], iommu: { iovaBits: 32 } }',
  'x.yaml:21:20: devices.encoder.constraints.windows: windows describe a device without an IOMMU; behind one give iommu.iovaBase and iommu.iovaSize',
);

complains(
  'an event names a known device',
  'attach: encoder }\n  - { at: 6s, detach: encoder',
  'attach: encodr }\n  - { at: 6s, detach: encoder',
  'x.yaml:29:15: timeline.0.attach: unknown device "encodr", did you mean "encoder"?',
);
complains(
  'an event lies before the end',
  'at: 8s',
  'at: 10s',
  'x.yaml:31:7: timeline.2.at: expected a time before the end of the run at 10000000000 ns, got 10000000000 ns',
);
complains('an event may be at 0', 'at: 2s', 'at: 0');
complains(
  'an attached device does not attach',
  'at: 6s, detach: encoder',
  'at: 6s, attach: encoder',
  'x.yaml:30:15: timeline.1.attach: encoder is attached already',
);
complains(
  'a detached device does not detach',
  'at: 8s, reqbufs: camera',
  'at: 8s, detach: encoder',
  'x.yaml:31:15: timeline.2.detach: encoder is not attached',
);
complains('a device that first detaches is there from the start', 'at: 8s, reqbufs: camera', 'at: 8s, detach: camera');
complains(
  'events of a device are in order',
  'at: 6s, detach',
  'at: 1s, detach',
  'x.yaml:30:7: timeline.1.at: events of encoder must be in order of time, got 1000000000 ns after 2000000000 ns',
);
complains(
  'events of a device are not at the same time',
  'at: 6s, detach',
  'at: 2s, detach',
  'x.yaml:30:7: timeline.1.at: events of encoder must be in order of time, got 2000000000 ns after 2000000000 ns',
);
complains('events of different devices need no order', 'at: 8s', 'at: 1s');
complains(
  'pin is for a dynamic importer',
  'driver: gpu',
  'driver: gpu\n    pin: true',
  'x.yaml:17:5: devices.gpu.pin: gpu is a static importer, which keeps in place what it has mapped; pin is for importer: dynamic',
);
complains(
  'a display that imports dynamically has to pin what it shows',
  'driver: display',
  'driver: display\n    importer: dynamic',
  'x.yaml:19:5: devices.display.importer: display scans out without a fence, which would tell how long a mapping is in use: it has to pin (pin: true)',
);
complains(
  'a program on the CPU imports nothing dynamically',
  'driver: gpu',
  'driver: gpu\n    cpu: {}\n    importer: dynamic',
  'x.yaml:18:5: devices.gpu.importer: gpu is a program on the CPU (cpu), and those import nothing dynamically',
);
complains('a cache holds a page at least', 'expect:', 'cpuCache: { coherent: false, size: 4KiB }\nexpect:');
complains(
  'a cache of less than a page is none',
  'expect:',
  'cpuCache: { coherent: false, size: 2KiB }\nexpect:',
  'x.yaml:32:30: cpuCache.size: expected at least one page of 4096 bytes, got 2048',
);
complains(
  'reqbufs is for a device that holds its mappings',
  'reqbufs: camera',
  'reqbufs: gpu',
  'x.yaml:31:15: timeline.2.reqbufs: gpu maps per-job and has nothing to let go of; reqbufs is for a device with mapping: held',
);
complains(
  'reqbufs is for a device that is there',
  'at: 8s, reqbufs: camera',
  'at: 7s, detach: camera }\n  - { at: 8s, reqbufs: camera',
  'x.yaml:32:15: timeline.3.reqbufs: camera is not attached',
);

complains(
  'an expectation names a known device',
  'ledger.empty: true',
  'devices.encodr.framesIn: 1',
  'x.yaml:33:3: expect.devices.encodr.framesIn: unknown device "encodr", did you mean "encoder"?',
);
complains(
  'the bounds of an expectation are in order',
  'ledger.empty: true',
  'moves: { min: 2, max: 1 }',
  'x.yaml:33:3: expect.moves: min must not be above max, got 2 and 1',
);
complains(
  'an expectation says something',
  'ledger.empty: true',
  'moves: {}',
  'x.yaml:33:3: expect.moves: expected min, max or equals, got an empty mapping',
);
