import test from 'ava';
import { runText } from './run-file.js';
import { unpaced } from './unpaced.js';

/** In a file of its own: what else keeps this thread busy would let the run end before the camera is killed. */
const SCENARIO = unpaced({
  name: 'lone-source',
  duration: '10s',
  cameras: ['camera'],
  encoders: ['encoder'],
  links: ['{ from: camera.out, to: encoder.in }'],
  timeline: '{ at: 300ms, kill: camera }, { at: 9500500us, restart: camera }',
});

test('a lone source that an event restarts, with pace max: nobody else advances the scenario, and it comes back', async (t) => {
  const { result } = await runText(SCENARIO);
  const kinds = result.incidents.map(({ kind, device }) => `${device} ${kind}`);
  t.deepEqual(kinds, ['camera died', 'camera reclaimed', 'camera restarted']);
  t.true(result.ledger.empty);
});
