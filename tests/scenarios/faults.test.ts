/** Devices that die, hang and come back in whole runs: what is promised in docs/reliability.md. */
import type { RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { checksFailed, DEVICES, kindsOf, preview } from './preview.js';
import { example, runFile, runText } from './run-file.js';

for (const restart of ['never', 'one-for-one']) {
  test(`each device killed at each of many instants, restart ${restart}: nothing is left and no content is bad`, async (t) => {
    for (const device of DEVICES) {
      // Steps that are prime to the periods of all devices, so that deaths fall into every state of a job and a move.
      for (let atUs = 1009; atUs < 190_000; atUs += 17_011) {
        const { result } = await runText(preview(`{ at: ${atUs}us, kill: ${device} }`, { restart, durationMs: 250 }));
        const back = restart === 'never' ? [] : [`${device} restarted`];
        t.deepEqual(kindsOf(result), [`${device} died`, `${device} reclaimed`, ...back], `${device} at ${atUs} us`);
        t.true(result.ledger.empty, `${device} at ${atUs} us: ${JSON.stringify(result.ledger)}`);
        t.is(checksFailed(result), 0, `${device} at ${atUs} us`);
      }
    }
  });
}

test('a camera that dies for good, ends the streams of those that it fed, and the run with them', async (t) => {
  const { result } = await runText(preview('{ at: 300ms, kill: camera }', { restart: 'never', durationMs: 60_000 }));
  t.true(result.endNs < 400_000_000, `${result.endNs}`);
  t.true(result.ledger.empty);
});

test('a camera that is restarted, exports new buffers, and the old ones go with their last detach', async (t) => {
  const { result } = await runText(preview('{ at: 300ms, kill: camera }'));
  const buffers = result.buffers.filter(({ pool }) => pool === 'camera.out');
  t.true(buffers.length > 4, 'four of the first life, and those of the second');
  t.true(result.ledger.empty);
  t.true(result.devices.display.counters.shown > 50);
});

test('a paused device, is reported late, is not killed, and no frame is lost between those that block', async (t) => {
  const { result } = await runText(preview('{ at: 300ms, pause: gpu, for: 250ms }'));
  t.deepEqual(kindsOf(result), ['gpu late']);
  t.is(result.devices.gpu.framesIn, result.links[0].delivered);
  t.is(result.links[0].dropped, 0);
  t.true(result.ledger.empty);
});

test('a device that hangs, is late after 100 ms and ended after 300 ms, to the nanosecond', async (t) => {
  const { result } = await runText(preview('{ at: 200ms, hang: gpu }'));
  const times = result.incidents.map(({ kind, atNs }) => [kind, atNs / 1e6]);
  t.deepEqual(times, [
    ['late', 300],
    ['died', 500],
    ['reclaimed', 500],
    ['restarted', 501],
  ]);
});

test('a heap that is full for a while, costs frames and comes back; nothing is left of it', async (t) => {
  const text = preview('{ at: 0ms, exhaust: system, for: 300ms }, { at: 10ms, exhaust: cma, for: 290ms }');
  const { result } = await runText(text);
  t.true((result.devices.camera.counters.refusedENOMEM ?? 0) > 10);
  t.true(result.devices.display.counters.shown > 20);
  t.true(result.ledger.empty);
});

test('a device that sends broken messages, has each refused, is counted, and below the limit goes on', async (t) => {
  const { result } = await runText(preview('{ at: 300ms, corrupt: gpu, messages: 7 }'));
  const { counters } = result.devices.gpu;
  t.is((counters.brokenEPROTO ?? 0) + (counters.brokenEOPNOTSUPP ?? 0), 7);
  t.is(counters.brokenTaken ?? 0, 0);
  t.is(result.brokenMessages?.[0]?.count, 7);
  t.true(result.ledger.empty);
  t.is(checksFailed(result), 0);
});

test('a device that sends too many broken messages, is quarantined; its next life may call again', async (t) => {
  const text = preview('{ at: 300ms, corrupt: gpu, messages: 20 }, { at: 500ms, restart: gpu }');
  const { result } = await runText(text);
  t.like(result.brokenMessages?.[0], { count: 8 });
  t.true(result.devices.gpu.framesIn > 20);
  t.true(result.ledger.empty);
});

test('a camera that dies under a GPU of two lanes, ends both, also the one that waits for a place the other had', async (t) => {
  const text = preview('{ at: 300ms, kill: camera }', { restart: 'never' })
    .replace('service: 6ms', 'service: 20ms, servers: 2')
    .replace('to: display.in }', 'to: display.in, depth: 1 }');
  const { result } = await runText(text);
  t.true(result.endNs < 500_000_000, `${result.endNs}`);
  t.true(result.ledger.empty);
});

test('a GPU that is killed while a paused display holds its buffers, finds room for new ones beside them', async (t) => {
  const { result } = await runText(preview('{ at: 300ms, pause: display, for: 250ms }, { at: 350ms, kill: gpu }'));
  t.deepEqual(
    kindsOf(result).filter((kind) => kind.endsWith('died')),
    ['gpu died'],
  );
  t.true(result.devices.gpu.framesOut > 20);
});

test('a GPU that holds its mappings, waits out a heap that is full', async (t) => {
  const text = preview('{ at: 1ms, exhaust: system, for: 300ms }, { at: 2ms, exhaust: cma, for: 300ms }').replace(
    'gpu: { driver: gpu,',
    'gpu: { driver: gpu, mapping: held,',
  );
  const { result } = await runText(text);
  t.deepEqual(kindsOf(result), []);
  t.true(result.devices.display.counters.shown > 20);
  t.true(result.ledger.empty);
});

test('devices that are all dead, are waited for as long as an event is to restart them', async (t) => {
  const kills = DEVICES.map((device, i) => `{ at: ${300 + i}ms, kill: ${device} }`).join(', ');
  const restarts = DEVICES.map((device, i) => `{ at: ${600 + i}ms, restart: ${device} }`).join(', ');
  const { result } = await runText(preview(`${kills}, ${restarts}`, { restart: 'never' }));
  t.is(kindsOf(result).filter((kind) => kind.endsWith('restarted')).length, 4);
  t.true(result.devices.display.counters.shown > 10);
  t.true(result.ledger.empty);
});

test('an interrupt while a dead device waits for its restart, ends the run in order', async (t) => {
  const stop = new AbortController();
  const text = preview('{ at: 200ms, kill: camera }, { at: 59s, restart: camera }', {
    restart: 'never',
    durationMs: 60_000,
  });
  const running = runText(text, { signal: stop.signal });
  stop.abort();
  const { result } = await running;
  t.is(result.endedBy, 'interrupted');
  t.true(result.ledger.empty);
});

test('with faults, a run in virtual time is the same each time, to the fingerprint', async (t) => {
  const [one, two] = [await runFile(example('crash-and-recover')), await runFile(example('crash-and-recover'))];
  t.deepEqual(two.result, one.result);
});

test('the same faults on threads, leave the same ledger, the same deaths and no bad content', async (t) => {
  const text = preview('{ at: 400ms, kill: gpu }, { at: 800ms, kill: camera }, { at: 1200ms, kill: display }', {
    durationMs: 2000,
    limits: 'late: 60s, hung: 100s', // on threads nobody is late for want of a processor
  });
  const results: RunResult[] = [];
  for (const runtime of ['virtual', 'threads'] as const) {
    results.push((await runText(text, { overrides: { runtime } })).result);
  }
  const [virtual, threads] = results;
  t.deepEqual(threads.ledger, virtual.ledger);
  t.is(checksFailed(threads), 0);
  const deaths = (result: RunResult): string[] => kindsOf(result).filter((kind) => !kind.endsWith('late'));
  t.deepEqual(deaths(threads).sort(), deaths(virtual).sort());
});

test('too many restarts, end the run with an error that names the device and the limit', async (t) => {
  const text = preview('{ at: 100ms, kill: gpu }, { at: 200ms, kill: gpu }').replace('restarts: 1000', 'restarts: 1');
  const error = await t.throwsAsync(runText(text));
  t.like(error, { code: 'EOWNERDEAD' });
  t.regex(
    error?.message ?? '',
    /gives up: gpu has died, and 2 restarts within 5 s are more than 1; the last time: killed/,
  );
});

test('events of a dead device, of no heap, or that last beyond the end, are refused before the run', async (t) => {
  const refused: [string, RegExp][] = [
    ['{ at: 1ms, kill: gpu }, { at: 2ms, pause: gpu, for: 1ms }', /gpu is dead by then, and nothing restarts it/],
    ['{ at: 1ms, exhaust: cmaa, for: 1ms }', /no heap is named cmaa; the heaps are system, cma/],
    ['{ at: 900ms, pause: gpu, for: 200ms }', /it would last beyond the end of the run/],
    ['{ at: 1ms, kill: gpuu }', /unknown device "gpuu"/],
  ];
  for (const [lines, message] of refused) {
    const error = await t.throwsAsync(async () => runText(preview(lines, { restart: 'never' })));
    t.regex(error?.message ?? '', message);
  }
});
