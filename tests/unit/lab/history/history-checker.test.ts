import { bufferSlot } from '@dmabuf-lab/core/base';
import type { DmaMapping } from '@dmabuf-lab/core/dma-buf';
import { layOutBoard, pagesOf, StampChecker, StressWords } from '@dmabuf-lab/lab';
import test from 'ava';

const PAGE = 4096;
const BUFFER = { slot: bufferSlot(0), life: 1 };
/** Lanes of the drivers whose actors are 2 and 3. */
const [A, B] = [4, 6];

/** Two drivers that share one buffer of two pages, in generation 1. */
class Shared {
  readonly words = new StressWords(layOutBoard(1, 1, 3));
  readonly segments = [new Uint8Array(2 * PAGE)];
  readonly dead = new Set<number>();
  generation = 1;
  stops = 0;
  readonly a = this.checker(2);
  readonly b = this.checker(3);

  constructor() {
    this.a.begin(BUFFER, A);
  }

  checker(actor: number): StampChecker {
    return new StampChecker({
      words: this.words,
      actor,
      life: 0,
      now: () => 0,
      stateOf: () => this.generation * 2,
      hasDied: (other) => this.dead.has(other),
      onViolation: () => {
        this.stops += 1;
      },
    });
  }

  mapping(): DmaMapping & { isLive: boolean } {
    return { isLive: true, generation: this.generation } as DmaMapping & { isLive: boolean };
  }

  /** Writes both pages, or only the first. */
  write(checker: StampChecker, lane: number, complete = true): void {
    const touch = checker.beginTouch(BUFFER, this.mapping(), lane, true);
    const pages = [...pagesOf(this.segments)];
    for (const [i, page] of pages.entries()) if (complete || i === 0) checker.write(touch, page, i);
    checker.endTouch(touch, complete);
  }

  read(checker: StampChecker, lane: number): void {
    const touch = checker.beginTouch(BUFFER, this.mapping(), lane, false);
    checker.verify(touch, this.segments);
    checker.endTouch(touch, true);
  }

  get found(): string[] {
    return this.words.violations().map(({ text }) => text);
  }
}

test('HistoryChecker, writes and reads in turn, finds nothing', (t) => {
  const shared = new Shared();
  shared.read(shared.b, B);
  shared.write(shared.a, A);
  shared.read(shared.b, B);
  shared.write(shared.b, B);
  shared.read(shared.a, A);
  t.deepEqual(shared.found, []);
  t.is(shared.stops, 0);
});

test('HistoryChecker, two writers at once, is told by the second', (t) => {
  const shared = new Shared();
  shared.a.beginTouch(BUFFER, shared.mapping(), A, true);
  shared.b.beginTouch(BUFFER, shared.mapping(), B, true);
  t.deepEqual(shared.found, ['two writers at once']);
  t.is(shared.words.violations()[0].culprit, A);
  t.is(shared.stops, 1);
});

test('HistoryChecker, a read while a write is under way, is a reader and a writer at once, and before the fence', (t) => {
  const shared = new Shared();
  shared.a.beginTouch(BUFFER, shared.mapping(), A, true);
  shared.read(shared.b, B);
  t.true(shared.found.includes('a reader and a writer at once'));
  t.true(shared.found.some((text) => text.startsWith('read before the fence of the writer')));
});

test('HistoryChecker, several readers at once, finds nothing', (t) => {
  const shared = new Shared();
  shared.write(shared.a, A);
  shared.a.beginTouch(BUFFER, shared.mapping(), A, false);
  shared.read(shared.b, B);
  t.deepEqual(shared.found, []);
});

test('HistoryChecker, a writer that died half-way, leaves any mixture, and its access counts for nothing', (t) => {
  const shared = new Shared();
  shared.write(shared.a, A);
  const touch = shared.a.beginTouch(BUFFER, shared.mapping(), A, true);
  const [first] = pagesOf(shared.segments);
  shared.a.write(touch, first, 0);
  shared.dead.add(2);
  shared.read(shared.b, B);
  t.deepEqual(shared.found, []);
  shared.write(shared.b, B);
  shared.read(shared.b, B);
  t.deepEqual(shared.found, []);
});

test('HistoryChecker, a writer that gives up, leaves any mixture; once written again, only the new is right', (t) => {
  const shared = new Shared();
  shared.write(shared.a, A, false);
  shared.read(shared.b, B);
  t.deepEqual(shared.found, []);
  const [page] = pagesOf(shared.segments);
  const old = page.slice();
  shared.write(shared.b, B);
  page.set(old);
  shared.read(shared.a, A);
  t.regex(
    shared.found[0],
    /page 0 holds content 1 of slot 0, life 1, written by lane 0 of driver1.*expected content 2/,
  );
});

test('HistoryChecker, a page that nobody stamped, is told by what it holds', (t) => {
  const shared = new Shared();
  shared.write(shared.a, A);
  shared.segments[0].fill(7, PAGE, PAGE + 4);
  shared.read(shared.b, B);
  t.regex(shared.found[0], /page 1 holds no whole stamp at its first words, expected content 1/);
});

test('HistoryChecker, a touch after the unmap or after a move, is told', (t) => {
  const shared = new Shared();
  const mapping = shared.mapping();
  const touch = shared.a.beginTouch(BUFFER, mapping, A, false);
  mapping.isLive = false;
  shared.generation = 2;
  shared.a.endTouch(touch, true);
  t.deepEqual(shared.found, ['touched after its unmap', 'touched generation 1 after a move: it is 2']);
});

test('HistoryChecker, a buffer whose exporter has died, keeps its mappings good', (t) => {
  const shared = new Shared();
  const touch = shared.a.beginTouch(BUFFER, shared.mapping(), A, false);
  shared.generation = 0;
  shared.a.endTouch(touch, true);
  t.deepEqual(shared.found, []);
});

test('StressWords.history, more events than it keeps, has the last ones in order, and stands still after a violation', (t) => {
  const shared = new Shared();
  for (let i = 0; i < 200; i += 1) shared.a.log('mapped', 0, A, i);
  const kept = shared.words.history(0);
  t.is(kept.at(-1)?.values[0], 199);
  t.true(kept.every((event, i) => i === 0 || event.order > kept[i - 1].order));
  shared.a.report('something', 0, A);
  shared.a.log('mapped', 0, A, 200);
  t.is(shared.words.history(0).length, kept.length);
});
