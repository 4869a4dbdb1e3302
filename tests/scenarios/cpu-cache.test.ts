/** Programs on a CPU whose caches are not coherent with devices, in whole pipelines. */
import test from 'ava';
import { runText } from './run-file.js';

/** A camera and an encoder; either may be a program. 64 x 64 pixels are 6144 bytes, two pages; 50 frames in two buffers. */
const text = (camera: string, encoder: string, cpuCache: string, payload = 'stamp'): string => `
name: cpu
duration: 1s
payload: ${payload}
memory: { windows: [ { name: dram, base: 0x40000000, size: 64MiB } ] }
heaps: [ { name: system, kind: system, window: dram } ]
cpuCache: { ${cpuCache} }
devices:
  camera: { driver: camera, ${camera} parameters: { width: 64, height: 64, rate: 50, readout: 1ms } }
  encoder: { driver: encoder, ${encoder} parameters: { service: 1ms } }
pools: { camera.out: { buffers: 2 } }
links: [ { from: camera.out, to: encoder.in } ]
`;

const RUNTIMES = [{ runtime: 'virtual' }, { runtime: 'threads', pace: 'max' }] as const;
const APART = 'coherent: false, clean: 300ns, invalidate: 200ns';

for (const overrides of RUNTIMES) {
  const where = `runtime ${overrides.runtime}`;

  test(`a program that reads without SYNC, ${where}, sees each buffer's first frame for ever`, async (t) => {
    const { result } = await runText(text('', 'cpu: { sync: false },', APART), { overrides });
    const { counters } = result.devices.encoder;
    t.is(counters.checksFailed, counters.encoded - 2);
    t.like(result.hazards[0], { kind: 'cpu-reads-stale', device: 'encoder', pool: 'camera.out', buffers: 2 });
    t.true(result.ledger.empty);
  });

  test(`a program that writes without SYNC, ${where}, shows devices nothing of it`, async (t) => {
    const { result } = await runText(text('cpu: { sync: false },', '', APART), { overrides });
    const { counters } = result.devices.encoder;
    t.is(counters.checksFailed, counters.encoded);
    t.like(result.hazards[0], { kind: 'cpu-writes-late', device: 'camera', pool: 'camera.out', buffers: 2 });
  });

  test(`programs that call SYNC, ${where}, see all, and pay for each page`, async (t) => {
    const { result } = await runText(text('cpu: {},', 'cpu: { sync: true },', APART), { overrides });
    const { camera, encoder } = result.devices;
    t.is(encoder.counters.checksFailed ?? 0, 0);
    t.is(encoder.counters.checksPassed, encoder.counters.encoded);
    t.deepEqual(result.hazards, []);
    t.is(encoder.counters.cpuSyncNs, encoder.counters.encoded * 2 * 500);
    t.is(camera.counters.cpuSyncNs, camera.framesOut * 2 * 500);
  });
}

test('cache maintenance, in virtual time, makes each frame later by just that', async (t) => {
  const latency = async (cpu: string): Promise<number> => {
    const { result } = await runText(text('', cpu, APART));
    return result.latency[0].p50Ns;
  };
  t.is((await latency('cpu: { sync: true },')) - (await latency('')), 2 * 500);
});

test('a program without SYNC, where caches are coherent, does as a device does', async (t) => {
  const { result } = await runText(text('cpu: { sync: false },', 'cpu: { sync: false },', 'coherent: true'));
  const { result: devices } = await runText(text('', '', 'coherent: true'));
  t.deepEqual(result, devices);
});

test('a program without SYNC, payload timing, is found though there is nothing to see', async (t) => {
  const { result } = await runText(text('', 'cpu: { sync: false },', APART, 'timing'));
  t.is(result.hazards[0].kind, 'cpu-reads-stale');
});

test('a program without SYNC, payload pixels, hands on pictures that are not those of their frames', async (t) => {
  const { result } = await runText(text('', 'cpu: { sync: false },', APART, 'pixels'));
  t.is(result.devices.encoder.counters.checksFailed, result.devices.encoder.counters.encoded - 2);
});

test('a program without SYNC, whose cache is smaller than a frame, is found by nothing', async (t) => {
  const { result } = await runText(text('', 'cpu: { sync: false },', `${APART}, size: 4KiB`));
  t.is(result.devices.encoder.counters.checksFailed ?? 0, 0);
  t.deepEqual(result.hazards, []);
});
