/** With `pace: max` only sources advance the scenario: what becomes of it while one has not attached yet, or has left. */
import { fileURLToPath } from 'node:url';
import type { RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { runText } from './run-file.js';
import { unpaced } from './unpaced.js';

async function run(timeline: string): Promise<RunResult> {
  const { result } = await runText(
    unpaced({
      name: 'late-sources',
      duration: '10s',
      cameras: ['front', 'back'],
      encoders: ['encoder', 'recorder', 'late'],
      links: [
        '{ from: front.out, to: encoder.in }',
        '{ from: back.out, to: recorder.in }',
        '{ from: back.out, to: late.in }',
      ],
      timeline,
    }),
  );
  return result;
}

const framesOut = ({ devices }: RunResult): number[] => [devices.front.framesOut, devices.back.framesOut];

/** Where time stood still, none of these would end. One after the other, so that a kill comes before the end of its source. */
test.serial('sources that all attach late, come one after the other', async (t) => {
  const result = await run('{ at: 2s, attach: front }, { at: 9s, attach: back }');
  // With pace max a stay counts its ticks from the start of the scenario.
  t.deepEqual(framesOut(result), [500, 500]);
  t.true(result.ledger.empty);
});

test.serial('a late source beside one that is dead for good, comes', async (t) => {
  const result = await run('{ at: 100ms, kill: front }, { at: 9s, attach: back }');
  t.is(framesOut(result)[1], 500);
  t.true(result.ledger.empty);
});

test.serial('sources that leave and attach again while none is there, come back', async (t) => {
  const stays = (device: string, leaves: string, comes: string): string =>
    `{ at: ${leaves}, detach: ${device} }, { at: ${comes}, attach: ${device} }`;
  const result = await run(`${stays('front', '1s', '9s')}, ${stays('back', '2s', '9500ms')}`);
  // All of the second stay, and some of the first.
  for (const frames of framesOut(result)) t.true(frames > 500, `${frames} frames`);
  t.true(result.ledger.empty);
});

test.serial('a source that leaves for good while another stays, does not take the time to the end', async (t) => {
  const result = await run('{ at: 1s, detach: front }, { at: 9500ms, attach: late }');
  t.is(framesOut(result)[1], 500);
  const { framesIn } = result.devices.late;
  t.true(framesIn <= 25, `late has ${framesIn} frames, and is there for half a second`);
  t.true(result.ledger.empty);
});

const JOINER = JSON.stringify(fileURLToPath(new URL('./drivers/joiner.js', import.meta.url)));

/** A mixer takes a frame of each camera in turn: each is held up by the other. */
for (const [what, timeline] of [
  ['leaves and comes back', '{ at: 1s, detach: front }, { at: 2s, attach: front }'],
  ['attaches late', '{ at: 2s, attach: front }'],
  ['is killed and started again by an event', '{ at: 500ms, kill: front }, { at: 5s, restart: front }'],
] as const) {
  test.serial(`a source that ${what}, while the other is held up by it: time goes on to its event`, async (t) => {
    const { result } = await runText(
      unpaced({
        name: 'held-up',
        duration: '10s',
        cameras: ['front', 'back'],
        encoders: [],
        others: { mixer: `{ driver: ${JOINER} }` },
        links: [
          '{ from: front.out, to: mixer.left, policy: block }',
          '{ from: back.out, to: mixer.right, policy: block }',
        ],
        timeline,
      }),
    );
    t.is(framesOut(result)[1], 500);
    t.true(result.devices.mixer.counters.joined >= 400, `${result.devices.mixer.counters.joined} were joined`);
    t.true(result.ledger.empty);
  });
}

for (const runtime of ['threads', 'virtual'] as const) {
  test.serial(
    `a source that ends by itself before it is to leave, has all of its next stay, on ${runtime}`,
    async (t) => {
      const { result } = await runText(
        unpaced({
          name: 'ended-early',
          duration: '10s',
          runtime,
          cameras: ['back'],
          encoders: ['encoder', 'recorder'],
          others: { front: '{ driver: camera, parameters: { width: 64, height: 64, rate: 50, frames: 10 } }' },
          links: ['{ from: front.out, to: encoder.in }', '{ from: back.out, to: recorder.in }'],
          timeline: '{ at: 5s, detach: front }, { at: 9s, attach: front }',
        }),
      );
      t.deepEqual(framesOut(result), [20, 500]);
      t.true(result.ledger.empty);
    },
  );
}
