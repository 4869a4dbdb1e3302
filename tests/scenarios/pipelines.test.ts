import { fileURLToPath } from 'node:url';
import test from 'ava';
import { countOf, runText } from './run-file.js';

const BOARD = `
name: test
payload: stamp
memory: { windows: [ { name: dram, base: 0x40000000, size: 256MiB } ] }
heaps:
  - { name: system, kind: system, window: dram, aged: { keep: 0.5 } }
  - { name: cma, kind: cma, window: dram, base: 0x48000000, size: 16MiB }
`;
const CAMERA =
  'camera: { driver: camera, constraints: { iommu: { iovaBits: 32 } }, parameters: { width: 64, height: 48, rate: 50 } }';
const gpu = (parameters: string): string =>
  `gpu: { driver: gpu, constraints: { iommu: { iovaBits: 48 } }, parameters: ${parameters} }`;
const DISPLAY = 'display: { driver: display, constraints: { iommu: { iovaBits: 32 } }, parameters: { refresh: 50 } }';
const encoder = (service: string): string =>
  `encoder: { driver: encoder, constraints: { contiguous: true, addressLimit: 0xFFFFFFFF }, parameters: { service: ${service} } }`;

function scenario(duration: string, devices: readonly string[], links: readonly string[], more = ''): string {
  const list = (items: readonly string[], prefix: string): string =>
    items.map((item) => `  ${prefix}${item}\n`).join('');
  return `${BOARD}duration: ${duration}\ndevices:\n${list(devices, '')}links:\n${list(links, '- ')}${more}`;
}

test('a link that drops the oldest, to a slow consumer, leaves the fast one its full rate', async (t) => {
  const { result } = await runText(
    scenario(
      '4s',
      [CAMERA, gpu('{ service: 5ms }'), DISPLAY, encoder('70ms')],
      [
        '{ from: camera.out, to: gpu.in }',
        '{ from: gpu.out, to: display.in }',
        '{ from: camera.out, to: encoder.in, policy: drop-oldest, depth: 1 }',
      ],
    ),
  );
  t.is(result.devices.display.counters.shown, 200);
  t.is(result.devices.camera.framesDropped, 0);
  const link = result.links[2];
  t.true(link.dropped > 0);
  t.is(link.delivered + link.dropped, 200);
  t.is(countOf(link.droppedSequences), link.dropped);
  t.true(link.latency.maxNs <= 90_000_000, 'what it gets is fresh');
  t.true(result.ledger.empty);
});

test('a link that drops the newest, to a slow consumer, keeps the oldest waiting', async (t) => {
  const { result } = await runText(
    scenario('4s', [CAMERA, encoder('70ms')], ['{ from: camera.out, to: encoder.in, policy: drop-newest, depth: 1 }']),
  );
  const [link] = result.links;
  t.is(link.delivered + link.dropped, 200);
  t.is(result.devices.camera.framesDropped, 0);
  t.true(result.ledger.empty);
});

const TO_BOTH = [
  '{ from: camera.out, to: relay.in }',
  '{ from: relay.out, to: encoder.in, policy: error, depth: 1 }',
  '{ from: relay.out, to: fast.in }',
];
const RELAY = `relay: { driver: ${fileURLToPath(new URL('./drivers/minds-full-links.js', import.meta.url))} }`;

test('a link whose policy is error, to a slow consumer, refuses its producer, and others get every frame', async (t) => {
  const { result } = await runText(
    scenario('4s', [CAMERA, RELAY, encoder('70ms'), encoder('1ms').replace('encoder', 'fast')], TO_BOTH),
  );
  const [, link, other] = result.links;
  t.true(link.dropped > 0);
  t.is(result.devices.relay.counters.refusedENOBUFS, link.dropped);
  t.is(link.delivered + link.dropped, 200);
  t.is(countOf(link.droppedSequences), link.dropped);
  t.deepEqual([other.delivered, other.dropped], [200, 0]);
  t.is(result.devices.camera.framesDropped, 0);
  t.true(result.ledger.empty);
});

for (const runtime of ['virtual', 'threads']) {
  test(`a link whose policy is error, of a producer that does not expect it, ends the run, ${runtime}`, async (t) => {
    const text = scenario(
      '4s',
      [CAMERA, encoder('70ms')],
      ['{ from: camera.out, to: encoder.in, policy: error, depth: 1 }'],
      `runtime: ${runtime}\n`,
    );
    const error = await t.throwsAsync(runText(text));
    t.regex(
      error?.message ?? '',
      /Cannot push frame \d+ from camera.out to encoder.in: the link is full, with 1 waiting, and its policy is error/,
    );
  });
}

test('a link that blocks, to a slow consumer, makes the camera lose frames for want of buffers', async (t) => {
  const { result } = await runText(scenario('4s', [CAMERA, encoder('70ms')], ['{ from: camera.out, to: encoder.in }']));
  const { camera } = result.devices;
  t.true(camera.framesDropped > 0);
  t.is(camera.framesOut + camera.framesDropped, 200);
  t.is(result.links[0].dropped, 0);
});

test('a pool that grows on demand, gets as many buffers as the pipeline holds at once', async (t) => {
  const links = ['{ from: camera.out, to: encoder.in }'];
  const grown = await runText(
    scenario(
      '4s',
      [CAMERA, encoder('{ uniform: [1ms, 30ms] }')],
      links,
      'pools: { camera.out: { buffers: 1, growTo: 6 } }\n',
    ),
  );
  const [pool] = grown.result.pools;
  t.true(pool.buffers >= 2 && pool.buffers < 6, `it has ${pool.buffers}`);
  t.is(grown.result.devices.camera.framesDropped, 0);
  const fixed = await runText(
    scenario('4s', [CAMERA, encoder('30ms')], links, 'pools: { camera.out: { buffers: 1 } }\n'),
  );
  t.is(fixed.result.pools[0].buffers, 1);
  t.true(fixed.result.devices.camera.framesDropped > 0);
});

test('a GPU that serves two frames at once, keeps a rate at which one alone falls behind', async (t) => {
  const links = ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }'];
  const shown = async (servers: number): Promise<number> => {
    const parameters = `{ service: 30ms, servers: ${servers} }`;
    const { result } = await runText(scenario('4s', [CAMERA, gpu(parameters), DISPLAY], links));
    t.true(result.ledger.empty);
    return result.devices.display.counters.shown;
  };
  t.is(await shown(2), 200);
  t.true((await shown(1)) < 150);
});

test('a mailbox display, with a faster source, skips frames and shows the newest', async (t) => {
  const slow = DISPLAY.replace('refresh: 50', 'refresh: 20, queue: mailbox');
  const { result } = await runText(
    scenario(
      '4s',
      [CAMERA, gpu('{ service: 1ms }'), slow],
      ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }'],
    ),
  );
  const { display, camera } = result.devices;
  t.is(display.counters.shown + display.framesDropped, camera.framesOut);
  t.true(display.framesDropped > 80);
  t.true(result.latency[0].maxNs <= 71_000_000);
});

for (const [name, service] of [
  ['uniform', '{ uniform: [1ms, 15ms] }'],
  ['exponential', '{ exponential: 5ms }'],
]) {
  test(`a service time that is ${name}, with another seed, gives another fingerprint; with the same, the same`, async (t) => {
    const text = scenario('2s', [CAMERA, encoder(service)], ['{ from: camera.out, to: encoder.in }']);
    const print = async (seed: number): Promise<string | null> =>
      (await runText(text, { overrides: { seed } })).result.fingerprint;
    const first = await print(1);
    t.is(await print(1), first);
    t.not(await print(2), first);
  });
}

test('a camera with exponential gaps, over 20 s, has about the rate asked for', async (t) => {
  const camera = CAMERA.replace('rate: 50', 'rate: 50, arrivals: exponential');
  const { result } = await runText(scenario('20s', [camera, encoder('1ms')], ['{ from: camera.out, to: encoder.in }']));
  const { ticks } = result.devices.camera.counters;
  t.true(ticks > 850 && ticks < 1150, `${ticks} ticks`);
});

test('a service by bandwidth, takes its overhead, its bytes and its segments', async (t) => {
  // 64x48 NV12 with rows of 64 bytes: 4608 bytes; contiguous memory is one segment for the encoder.
  const service = '{ bytesPerSecond: 4608000, perSegment: 7us, overhead: 2ms }';
  const { result } = await runText(
    scenario(
      '1s',
      [CAMERA, encoder(service)],
      ['{ from: camera.out, to: encoder.in }'],
      'pools: { camera.out: { allocate: cma } }\n',
    ),
  );
  t.is(result.latency[0].minNs, 2_000_000 + 1_000_000 + 7_000);
});

test('a late device that no heap suits, is refused with the reason, and the rest goes on', async (t) => {
  const impossible = 'encoder: { driver: encoder, constraints: { contiguous: true, addressLimit: 0xFFFFFF } }';
  const { result } = await runText(
    scenario(
      '2s',
      [CAMERA, gpu('{ service: 5ms }'), DISPLAY, impossible],
      ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }', '{ from: camera.out, to: encoder.in }'],
      'timeline: [ { at: 1s, attach: encoder } ]\n',
    ),
  );
  const refused = result.attaches.find(({ outcome }) => outcome === 'refused');
  t.is(refused?.device, 'encoder');
  t.regex(refused?.why ?? '', /encoder/);
  t.is(result.devices.encoder.counters.attachRefused, 1);
  t.is(result.devices.display.counters.shown, 100);
  t.true(result.ledger.empty);
});

test('an interrupt at the very start, ends the run cleanly and still reports', async (t) => {
  const abort = new AbortController();
  abort.abort();
  const { result } = await runText(
    scenario('3600s', [CAMERA, encoder('5ms')], ['{ from: camera.out, to: encoder.in }']),
    {
      signal: abort.signal,
    },
  );
  t.is(result.endedBy, 'interrupted');
  t.true(result.endNs < 3_600_000_000_000);
  t.true(result.ledger.empty);
});

test('a reader and a writer of one frame on two links, work one after the other, in the order of their fences', async (t) => {
  const { trace, result } = await runText(
    scenario(
      '1s',
      [CAMERA, gpu('{ service: 6ms, mode: in-place }'), encoder('6ms')],
      ['{ from: camera.out, to: gpu.in }', '{ from: camera.out, to: encoder.in }'],
    ),
    { trace: true },
  );
  const jobs = (device: string) => trace.filter(({ track, name }) => track === device && name === 'job');
  t.is(jobs('gpu').length, 50);
  for (const write of jobs('gpu')) {
    const read = jobs('encoder').find(({ args }) => args?.sequence === write.args?.sequence);
    if (read === undefined) return t.fail('both work on every frame');
    const apart =
      write.startNs >= read.startNs + (read.durationNs ?? 0) || read.startNs >= write.startNs + (write.durationNs ?? 0);
    t.true(apart, `frame ${write.args?.sequence}`);
  }
  t.true(result.ledger.empty);
});

for (const at of ['1s', '1010ms', '1050ms']) {
  test(`a consumer that leaves at ${at}, while two lanes of its producer wait for room, leaves no frame behind`, async (t) => {
    const { result } = await runText(
      scenario(
        '2s',
        [CAMERA, gpu('{ service: 5ms, servers: 2, mode: in-place }'), encoder('45ms')],
        ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: encoder.in, depth: 1 }'],
        `timeline: [ { at: ${at}, detach: encoder } ]\n`,
      ),
    );
    t.true(result.ledger.empty);
    t.true(result.devices.camera.framesOut > 50);
  });
}

test('an encoder that comes and goes ten times, finds its lane again each time', async (t) => {
  const events = Array.from({ length: 10 }, (_, i) => [
    `{ at: ${200 * i + 100}ms, attach: encoder }`,
    `{ at: ${200 * i + 200}ms, detach: encoder }`,
  ]);
  const { result } = await runText(
    scenario(
      '3s',
      [CAMERA, gpu('{ service: 5ms }'), DISPLAY, encoder('5ms')],
      ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }', '{ from: camera.out, to: encoder.in }'],
      `timeline: [ ${events.flat().join(', ')} ]\n`,
    ),
  );
  t.is(result.devices.encoder.counters.encoded, 50);
  t.is(result.devices.display.counters.shown, 150);
  t.true(result.ledger.empty);
});

test('a camera that leaves at 1 s of 3 s, ticks no more; one that comes at 2 s, begins with its next tick', async (t) => {
  const links = ['{ from: camera.out, to: encoder.in }'];
  const run = async (event: string) =>
    (await runText(scenario('3s', [CAMERA, encoder('5ms')], links, `timeline: [ ${event} ]\n`))).result;
  const leaves = await run('{ at: 1s, detach: camera }');
  t.is(leaves.devices.camera.counters.ticks, 50);
  const comes = await run('{ at: 2s, attach: camera }');
  t.is(comes.devices.camera.counters.ticks, 50);
  t.is(comes.devices.camera.framesDropped, 0);
  t.true(comes.latency[0].maxNs < 10_000_000);
});

test('more readers of one buffer than a reservation has slots for, are refused frames and stop nobody', async (t) => {
  const names = Array.from({ length: 13 }, (_, i) => `e${i}`);
  const { result } = await runText(
    scenario(
      '1s',
      [CAMERA, ...names.map((name) => encoder('3ms').replace('encoder:', `${name}:`))],
      names.map((name) => `{ from: camera.out, to: ${name}.in }`),
    ),
  );
  t.is(result.devices.camera.framesOut, 50);
  t.true(names.some((name) => (result.devices[name].counters.refusedENOMEM ?? 0) > 0));
  t.true(result.ledger.empty);
});

test('a pool that expects a device in vain, is refused before anything starts, with the line', async (t) => {
  const links = ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }'];
  const text = scenario('1s', [CAMERA, gpu('{}'), DISPLAY], links, 'pools: { camera.out: { expect: [display] } }\n');
  const error = await t.throwsAsync(runText(text));
  t.regex(error?.message ?? '', /test\.yaml:\d+:\d+: .*no link brings frames of camera\.out to display/);
});

test('a display whose source has a single buffer, ends the run with the reason instead of never', async (t) => {
  const links = ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }'];
  const text = scenario(
    '1s',
    [CAMERA, gpu('{ service: 1ms }'), DISPLAY],
    links,
    'pools: { gpu.out: { buffers: 1 } }\n',
  );
  const error = await t.throwsAsync(runText(text));
  t.regex(error?.message ?? '', /needs two buffers at least/);
});

test('a trace, has a span for each map and move on the track of its buffer, and for fences and stalls on the device', async (t) => {
  const { trace } = await runText(
    scenario(
      '2s',
      [CAMERA, gpu('{ service: 5ms }'), DISPLAY, encoder('5ms')],
      ['{ from: camera.out, to: gpu.in }', '{ from: gpu.out, to: display.in }', '{ from: camera.out, to: encoder.in }'],
      'timeline: [ { at: 1s, attach: encoder } ]\n',
    ),
    { trace: true },
  );
  const has = (track: string, name: string) => trace.some((event) => event.track === track && event.name === name);
  t.true(has('buffer camera.out[0]', 'placed in system'));
  t.true(has('buffer camera.out[0]', 'map: gpu'));
  t.true(has('buffer camera.out[0]', 'move: moved'));
  t.true(has('gpu', 'fence'));
  t.true(has('encoder', 'stall: moving'));
  t.true(has('display', 'flip'));
});
