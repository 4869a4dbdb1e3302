/** With `pace: max` only sources advance the scenario: what becomes of it while all of them are dead. */
import type { RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { runText } from './run-file.js';
import { unpaced } from './unpaced.js';

/** Long, so that both are dead before either has come to its end, however late the kills are seen. */
const scenario = (runtime: 'threads' | 'virtual', timeline: string): string =>
  unpaced({
    name: 'dead-sources',
    duration: '12s',
    runtime,
    cameras: ['front', 'back'],
    encoders: ['encoder', 'recorder'],
    links: ['{ from: front.out, to: encoder.in }', '{ from: back.out, to: recorder.in }'],
    timeline,
  });

const OVERLAPPING = `
  { at: 100ms, kill: front }, { at: 300ms, kill: back },
  { at: 11500500us, restart: front }, { at: 11800500us, restart: back }`;

const livesOf = ({ incidents }: RunResult, device: string): string[] =>
  incidents.filter((one) => one.device === device).map(({ kind }) => kind);

/** One after the other: what else keeps this thread busy would let the run on threads end before a source is killed. */
for (const runtime of ['threads', 'virtual'] as const) {
  test.serial(
    `two sources on ${runtime}, both killed and both restarted by events: both come back and run to the end`,
    async (t) => {
      const { result } = await runText(scenario(runtime, OVERLAPPING));
      for (const device of ['front', 'back']) t.deepEqual(livesOf(result, device), ['died', 'reclaimed', 'restarted']);
      // With pace max a life counts its ticks from the start of the scenario; in virtual time it goes on with the next.
      const frames = runtime === 'threads' ? { front: 600, back: 600 } : { front: 24, back: 9 };
      t.deepEqual({ front: result.devices.front.framesOut, back: result.devices.back.framesOut }, frames);
      t.true(result.ledger.empty);
    },
  );
}
