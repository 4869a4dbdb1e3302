/** Static and dynamic importers and pins in whole pipelines, on both runtimes. */
import { type ExplainOptions, explainFile, type RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { example, ROOT, runFile, runText } from './run-file.js';

/** A camera, a GPU that maps as told, a display, and an encoder that comes late and cannot reach the camera's buffers. */
function preview(gpu: string, display = '', exporter = 'timeout: 100ms', timeline = ''): string {
  return `
name: importers
duration: 1200ms
payload: stamp
memory: { windows: [ { name: dram, base: 0x40000000, size: 256MiB } ] }
heaps:
  - { name: system, kind: system, window: dram, aged: { keep: 0.5 } }
  - { name: cma, kind: cma, window: dram, base: 0x48000000, size: 16MiB }
exporter: { ${exporter} }
devices:
  camera: { driver: camera, constraints: { iommu: { iovaBits: 32 } }, parameters: { width: 320, height: 240, rate: 50 } }
  gpu: { driver: gpu, ${gpu}, constraints: { iommu: { iovaBits: 48 } }, parameters: { service: 5ms } }
  display: { driver: display, ${display} constraints: { iommu: { iovaBits: 32 } }, parameters: { refresh: 50 } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 1ms } }
pools: { camera.out: { buffers: 5 } }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
  - { from: camera.out, to: encoder.in, depth: 1, policy: drop-oldest }
timeline: [ { at: 400ms, attach: encoder }${timeline} ]
`;
}

const failedChecks = ({ devices }: RunResult): number =>
  Object.values(devices).reduce((sum, { counters }) => sum + (counters.checksFailed ?? 0), 0);

const movesOf = (result: RunResult) => result.buffers.flatMap((buffer) => buffer.moves);

test('a dynamic importer that holds its mappings, lets every buffer move and is told of it', async (t) => {
  const { result } = await runText(preview('importer: dynamic, mapping: held'));
  const { gpu, encoder } = result.devices;
  t.is(result.moves, 5);
  t.is(gpu.counters.moveNotify, 5);
  t.true(encoder.counters.encoded > 0);
  t.is(encoder.counters.refused, 0);
  t.is(failedChecks(result), 0);
  t.true(result.ledger.empty);
  t.true(movesOf(result).every(({ outcome, notified }) => outcome === 'moved' && notified?.join() === 'gpu'));
});

test('a static importer that holds its mappings, blocks every move, as a consumer too', async (t) => {
  const { result } = await runText(preview('mapping: held'));
  t.is(result.moves, 0);
  t.true(result.devices.encoder.counters.refusedETIMEDOUT >= 1);
  t.is(result.devices.encoder.counters.encoded, 0);
  t.false('moveNotify' in result.devices.gpu.counters);
  t.true(result.ledger.empty);
});

test('a pin for a stay, refuses the late device with EBUSY', async (t) => {
  const { result } = await runText(preview('importer: dynamic, mapping: held, pin: true'));
  t.is(result.moves, 0);
  t.is(result.devices.encoder.counters.attachRefused, 1);
  const refused = result.attaches.find(({ outcome }) => outcome === 'refused');
  t.regex(refused?.why ?? '', /it is pinned by gpu until it lets go/);
  t.true(result.ledger.empty);
  t.is(failedChecks(result), 0);
});

// On threads nobody knows how far the others are when the encoder comes: what holds then holds for any course of events.
const THREADS = { runtime: 'threads', pace: 'max', duration: 4_000_000_000 } as const;

test('a dynamic importer, on threads, is told of just the moves that there were, and no content is lost', async (t) => {
  const text = preview('importer: dynamic, mapping: held', '', 'timeout: 60s');
  const { result } = await runText(text, { overrides: THREADS });
  const moves = movesOf(result);
  t.log(`${moves.length} moves`);
  t.true(
    moves.every(({ outcome }) => outcome === 'moved'),
    'an idle mapping keeps nothing in place',
  );
  t.is(result.devices.gpu.counters.moveNotify, moves.filter(({ notified }) => notified?.includes('gpu')).length);
  t.is(failedChecks(result), 0);
  t.true(result.ledger.empty);
});

test('a static importer that holds its mappings, on threads, is named by every move that waits in vain', async (t) => {
  const { result } = await runText(preview('mapping: held', '', 'timeout: 20ms'), { overrides: THREADS });
  const late = movesOf(result).filter(({ outcome }) => outcome === 'timed-out');
  t.log(`${late.length} moves timed out`);
  for (const { error } of late) t.true((error?.holders.length ?? 0) > 0);
  t.is(failedChecks(result), 0);
  t.true(result.ledger.empty);
});

test('a pin for a stay, on threads, is the reason if the late device is refused', async (t) => {
  const text = preview('importer: dynamic, mapping: held, pin: true');
  const { result } = await runText(text, { overrides: THREADS });
  const refused = result.attaches.filter(({ outcome }) => outcome === 'refused');
  t.log(`${refused.length} refused`);
  for (const { why } of refused) t.regex(why, /it is pinned by gpu until it lets go/);
  t.is(result.devices.encoder.counters.attachRefused ?? 0, refused.length);
  t.is(failedChecks(result), 0);
  t.true(result.ledger.empty);
});

test('a held mapping of a consumer, ends with its REQBUFS(0), and the buffers move', async (t) => {
  const { result } = await runText(preview('mapping: held', '', 'timeout: 10ms', ', { at: 800ms, reqbufs: gpu }'));
  t.is(result.devices.gpu.counters.reqbufs, 1);
  t.true(result.moves > 0);
  t.true(result.buffers.flatMap(({ moves }) => moves).every((m) => m.outcome !== 'moved' || m.startNs >= 800_000_000));
  t.true(result.devices.encoder.counters.encoded > 0);
  t.true(result.ledger.empty);
});

test('a pin of a display, lasts from flip to flip: there is one for each picture shown', async (t) => {
  const display = 'importer: dynamic, pin: true,';
  const { result } = await runText(preview('importer: dynamic', display, 'policy: busy'));
  t.is(result.devices.display.counters.pins, result.devices.display.counters.shown);
  t.true(result.ledger.empty);
});

test('a run with a dynamic importer, twice with one seed, gives the same bytes', async (t) => {
  const text = preview('importer: dynamic, mapping: held');
  const [a, b] = [await runText(text), await runText(text)];
  t.deepEqual(a.result, b.result);
});

test('examples/sharing/pinned, moves each buffer of the GPU once the panel has flipped away from it', async (t) => {
  const { result } = await runFile(`${ROOT}examples/sharing/pinned.yaml`);
  const moves = result.buffers.filter(({ pool }) => pool === 'gpu.out').flatMap((buffer) => buffer.moves);
  t.is(moves.length, 4);
  t.true(moves.some(({ waited }) => waited.some(({ device }) => device === 'panel')));
  t.is(result.devices.panel.counters.lateVblanks, 0);
});

for (const [name, device] of [
  ['dynamic-importer', 'encoder'],
  ['pinned', 'projector'],
  ['pinned', 'encoder'],
] as const) {
  test(`explain of examples/sharing/${name}, foretells what the run does when ${device} comes`, async (t) => {
    const path = `${ROOT}examples/sharing/${name}.yaml`;
    const options: ExplainOptions = {};
    const { pools } = await explainFile(path, name, options);
    const { result } = await runFile(path);
    const attach = pools.flatMap(({ forecasts }) => forecasts).find((one) => one.attach.device === device)?.attach;
    const attaches = result.attaches.filter((one) => one.device === device);
    if (attach === undefined || attaches.length === 0) return t.fail('the device is forecast, and it came');
    const refusals = attach.plans.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal.reason]));
    if (refusals.length > 0) {
      t.is(attaches[0].outcome, 'refused');
      t.true(attaches[0].why.endsWith(refusals[0]));
      return;
    }
    const moves = result.buffers.flatMap((buffer) => buffer.moves.map((move) => ({ ...move, buffer: buffer.name })));
    for (const plan of attach.plans) {
      const move = moves.find((one) => one.buffer === plan.buffer && one.outcome === 'moved');
      t.like(move, { from: plan.from, to: plan.to, bytes: plan.bytes });
      t.deepEqual(move?.notified, plan.notifies === undefined ? undefined : [...plan.notifies]);
    }
  });
}

test('vb2-held, as before dynamic importers were, counts no notice for anybody', async (t) => {
  const { result } = await runFile(example('vb2-held'));
  for (const { counters } of Object.values(result.devices)) t.false('moveNotify' in counters);
});
