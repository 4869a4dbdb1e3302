/**
 * The counts of a run: what its actors have done so far, in shared words of their own, for those who watch the run while it goes on.
 *
 * Purpose   What an actor knows of itself goes with it when it is killed, and is told only at its end. What is counted here outlives
 *           it, and the process that started the run reads it at any time. Nobody waits on a word: a run is the same with them.
 *
 * Layout    table     row        words
 *           exporter  one        0 MOVES of buffers; 1 FINDINGS: of the sanitizer, of the slot watch, and senders of broken messages
 *           devices   an actor   0 FRAMES taken or handed on; 1 TORN frames, or stale ones; 2 FAILURES: lives that the driver has ended by
 *                                throwing; 3 LAST of these: life + 1
 *
 * Written   A row is written by the present life of its actor alone. Those of the exporter say what it knows, which it takes over from
 *   by      its life before; those of a device are only ever added to, over all of its lives.
 * Crash     Each count is one atomic operation: a killed actor has made it or has not.
 * Shown by  tests/stress/live-line.test.ts.
 */
import { AtomicWords, sharedBytes, type TableRegion, WordLayout, wordAt } from '@dmabuf-lab/core/base';

const ROW_WORDS = 16;
const EXPORTER = { moves: 0, findings: 1 } as const;
const DEVICE = { frames: 0, torn: 1, failures: 2, last: 3 } as const;

/** Where the counts lie: plain data, the same for every actor, and the memory itself. */
export interface CountBoard {
  readonly memory: SharedArrayBuffer;
  readonly exporter: TableRegion;
  readonly devices: TableRegion;
}

/** @param actors the highest actor number */
export function countBoard(actors: number): CountBoard {
  const layout = new WordLayout();
  const regions = { exporter: layout.table(1, ROW_WORDS), devices: layout.table(actors + 1, ROW_WORDS) };
  return { ...regions, memory: sharedBytes(layout.sizeBytes, 'the counts of a run') };
}

export class CountWords {
  readonly #words: AtomicWords;

  constructor(private readonly board: CountBoard) {
    this.#words = new AtomicWords(board.memory);
  }

  // ---- the exporter ----

  ofExporter(what: keyof typeof EXPORTER): number {
    return this.#words.load(wordAt(this.board.exporter, 0, EXPORTER[what]));
  }

  setOfExporter(what: keyof typeof EXPORTER, count: number): void {
    this.#words.store(wordAt(this.board.exporter, 0, EXPORTER[what]), count);
  }

  // ---- devices ----

  ofDevice(actor: number, what: 'frames' | 'torn' | 'failures'): number {
    return this.#words.load(wordAt(this.board.devices, actor, DEVICE[what]));
  }

  add(actor: number, what: 'frames' | 'torn', count = 1): void {
    this.#words.add(wordAt(this.board.devices, actor, DEVICE[what]), count);
  }

  /** The driver has thrown in a life: counted once, whichever of its generators did. */
  countFailure(actor: number, life: number): void {
    const last = wordAt(this.board.devices, actor, DEVICE.last);
    if (this.#words.load(last) === life + 1) return;
    this.#words.store(last, life + 1);
    this.#words.add(wordAt(this.board.devices, actor, DEVICE.failures), 1);
  }

  /** The sum over all devices. @param of what counts of one; absent = all of it */
  sum(what: 'frames' | 'torn' | 'failures', of = (count: number) => count): number {
    let sum = 0;
    for (let actor = 0; actor < this.board.devices.rows; actor += 1) sum += of(this.ofDevice(actor, what));
    return sum;
  }
}
