/** What the exporter's checkers have found, among the violations: also where the exporter keeps the buffer no more, and across its lives. */
import { bufferSlot } from '@dmabuf-lab/core/base';
import { type ChecksParts, layOutBoard, StressChecks, StressWords } from '@dmabuf-lab/lab';
import test from 'ava';

const FINDING = {
  heap: 'system',
  address: 0x4000_0000,
  lengthBytes: 4,
  generations: [1],
  devices: [],
  freedNs: 1,
  seenNs: 2,
};

/** Checks of an exporter that keeps no buffer at all. */
function checksOf(words: StressWords, sanitizer: object): StressChecks {
  const open = {
    exporter: { liveBuffers: [], allBuffers: [] },
    sanitizer,
    watch: { records: [] },
    guard: { records: [] },
  } as unknown as ChecksParts['open'];
  return new StressChecks({ open, words, lane: 2, life: 0, now: () => 3, onViolation: () => {} });
}

test('StressChecks, a finding about a buffer that the exporter keeps no more: its slot is known by its name', (t) => {
  const words = new StressWords(layOutBoard(1, 4, 2));
  const checks = checksOf(words, { damaged: 1, findings: [{ ...FINDING, buffer: 'b7' }], checkedBytes: 0 });
  for (let i = 0; i < 500; i += 1) checks.opened(`b${i}`, { slot: bufferSlot(i % 4), life: i });
  checks.look();
  t.like(words.violations()[0], { slot: 3, life: 7 });
});

test('StressChecks, freed pages that were looked at: counted over all lives of the exporter, each once', (t) => {
  const words = new StressWords(layOutBoard(1, 4, 2));
  for (let life = 0; life < 2; life += 1) {
    const sanitizer = { damaged: 0, findings: [], checkedBytes: 0 };
    const checks = checksOf(words, sanitizer);
    for (const pages of [1, 1, 3]) {
      sanitizer.checkedBytes = pages * 4096;
      checks.look();
    }
  }
  t.is(words.runCount('freed'), 6);
});

test('StressWords, a death that an exporter is told of again: is counted once', (t) => {
  const words = new StressWords(layOutBoard(1, 4, 3));
  const told = [1, 1, 2, 2, 1].map((deaths) => words.countDeath(2, deaths));
  t.deepEqual(told, [true, false, true, false, false]);
  t.true(words.countDeath(3, 1));
  t.is(words.runCount('deaths'), 3);
});
