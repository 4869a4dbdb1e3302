import { applyOverrides, executeRun, loadScenario, prepareRun, type RunResult, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import type { BrokenSenderStart } from './programs/broken-sender.js';
import { example } from './run-file.js';

/** A camera whose actor sends so many broken messages before it begins. */
async function runWith(messages: number, runtime: 'threads' | 'virtual'): Promise<RunResult> {
  const loaded = await loadScenario(example('late-encoder'));
  const scenario = applyOverrides(loaded.scenario, { runtime, duration: 200_000_000, payload: 'stamp' });
  const prepared = await prepareRun({ ...loaded, scenario: { ...scenario, expect: {} } });
  const actors = prepared.actors.map((actor) => {
    if (actor.name !== 'camera') return actor;
    const data: BrokenSenderStart = { messages, module: actor.module, data: actor.data };
    return { ...actor, module: new URL('./programs/broken-sender.js', import.meta.url).href, data };
  });
  return (await executeRun({ ...prepared, actors }, { collectTrace: false })).result;
}

for (const runtime of ['virtual', 'threads'] as const) {
  test(`${runtime}: a run with three broken messages ends as ever, and the result and its summary tell of them`, async (t) => {
    const result = await runWith(3, runtime);
    t.true(result.ledger.empty);
    t.true(result.devices.display.framesIn > 0);
    const reason = 'map: buffer: expected an object, got 0';
    t.like(result.brokenMessages, [{ device: 'camera', count: 3, reason, unread: 0 }]);
    const text = summarize(result).replaceAll(/\s+/g, ' ');
    t.regex(
      text,
      /Broken control messages: 3 messages of camera, the first at [^:]+: map: buffer: expected an object, got 0\./,
    );
  });

  test(`${runtime}: a run with a device in quarantine fails and says why`, async (t) => {
    const error = await t.throwsAsync(runWith(8, runtime));
    t.like(error, { name: 'ActorError', actor: 'camera' });
    t.regex(error?.message ?? '', /quarantined after 8 broken messages, the first of them map: buffer/);
  });
}

test('a run without broken messages says nothing of them', async (t) => {
  t.is((await runWith(0, 'virtual')).brokenMessages, undefined);
});
