import test from 'ava';
import { numbersOf, runFile, workedExample } from './run-file.js';

test('a 30 fps camera into a 40 ms encoder with 3 buffers, loses every sixth frame from the 13th on', async (t) => {
  const { result } = await runFile(workedExample('camera-encoder-40ms'));
  const { camera, encoder } = result.devices;
  t.deepEqual(
    result.expectations.filter(({ ok }) => !ok),
    [],
  );
  t.is(encoder.framesIn, 1502);
  t.deepEqual(
    numbersOf(camera.droppedSequences),
    Array.from({ length: 298 }, (_, i) => 13 + 6 * i),
  );
  t.is(camera.framesOut + camera.framesDropped, camera.counters.ticks);
  t.is(result.endNs, 60_080_000_000 - 0, 'the last frame ends 40 ms after the one before it');
});

for (const buffers of [1, 2, 3]) {
  test(`stages of 16, 12 and 15 ms with ${buffers} buffers, deliver ${buffers} of 3 frames after 43 ms each`, async (t) => {
    const { result } = await runFile(workedExample(`three-stages-${buffers}`));
    t.deepEqual(
      result.expectations.filter(({ ok }) => !ok),
      [],
    );
    t.is(result.devices.encoder.framesIn, 1200 * buffers);
    t.is(result.devices.camera.framesDropped, 3600 - 1200 * buffers);
    const [latency] = result.latency;
    t.deepEqual([latency.minNs, latency.p50Ns, latency.maxNs], [43_000_000, 43_000_000, 43_000_000]);
    t.is(result.pools[0].heldNs, 43_000_000 * 1200 * buffers, 'the pool is out for as long as its frames are held');
  });
}
