/**
 * What the lives of the driver under test tell on threads, in shared memory of their own.
 *
 * Purpose   It outlives the life that wrote it, which may be killed at any instruction, or never come back from a step. The thread
 *           that started the run reads it at any time.
 *
 * Layout    byte   what
 *           0      LENGTH: bytes of the log
 *           4      CALLS: calls of the driver, of all its lives
 *           8      LAST_CALL: number of the record that describes its last call, from 1; 0 = none
 *           64     the log: records, each a line of JSON
 *
 * Written   by the actor of the driver. One life of it is at work at a time: the next starts when the one before is dead.
 *   by
 * Pairs     P1 append: the bytes behind LENGTH, then LENGTH   with   read: LENGTH, then the bytes before it
 *           What lies before LENGTH never changes again, so that plain accesses to it are ordered by that word.
 *           P2 call: append the record, if it is a new one, then LAST_CALL   with   read: LAST_CALL, then LENGTH and the log
 * Crash     A record whose LENGTH was not stored is written over by the next life. CALLS only grows.
 * Shown by  tests/drivers/check-driver-threads.test.ts.
 */
import { AtomicWords, type Nanoseconds, wordIndex } from '../base/index.js';
import type { Finding } from './findings.js';

const LENGTH = wordIndex(0);
const CALLS = wordIndex(1);
const LAST_CALL = wordIndex(2);
const LOG_BYTE = 64;
const SIZE_BYTES = 1 << 18;

/** The job that was open longest. */
export interface LongestJob {
  readonly ns: Nanoseconds;
  readonly where?: string;
}

/** One thing that is told: plain data. */
export type TestedRecord =
  | { readonly kind: 'found'; readonly finding: Finding }
  | { readonly kind: 'noted'; readonly note: string }
  /** A life begins. */
  | { readonly kind: 'life'; readonly life: number }
  /** A call that was not made before in this life. */
  | { readonly kind: 'call'; readonly call: string; readonly where?: string }
  /** A stay begins; so many calls were made before. */
  | { readonly kind: 'began'; readonly atNs: Nanoseconds; readonly calls: number }
  | { readonly kind: 'ended'; readonly atNs: Nanoseconds; readonly tooEarly: boolean; readonly longest: LongestJob };

/** New shared memory for all lives of one driver under test: 256 KiB, zeroed, whose layout stands above. */
export const testedMemory = (): SharedArrayBuffer => new SharedArrayBuffer(SIZE_BYTES);

/** The end of the driver. */
export class TestedWriter {
  readonly #words: AtomicWords;
  readonly #log: Uint8Array;
  readonly #known = new Map<string, number>();
  #records: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new AtomicWords(memory);
    this.#log = new Uint8Array(memory, LOG_BYTE);
    this.#records = new TestedReader(memory).records().length;
  }

  get calls(): number {
    return this.#words.load(CALLS);
  }

  /** Appends a record; one for which there is no room is left out. @returns its number, from 1 */
  tell(record: TestedRecord): number {
    const line = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
    const length = this.#words.load(LENGTH);
    if (length + line.length > this.#log.length) return 0;
    this.#log.set(line, length);
    this.#words.store(LENGTH, length + line.length); // P1
    this.#records += 1;
    return this.#records;
  }

  /** The driver calls something. */
  called(call: string, where: string | undefined): void {
    const key = `${call} ${where}`;
    const known = this.#known.get(key) ?? this.tell({ kind: 'call', call, ...(where !== undefined && { where }) });
    this.#known.set(key, known);
    this.#words.store(LAST_CALL, known); // P2
    this.#words.add(CALLS, 1);
  }
}

/** The end of whoever started the run. */
export class TestedReader {
  readonly #words: AtomicWords;
  readonly #log: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new AtomicWords(memory);
    this.#log = new Uint8Array(memory, LOG_BYTE);
  }

  get calls(): number {
    return this.#words.load(CALLS);
  }

  records(): TestedRecord[] {
    const length = this.#words.load(LENGTH); // P1
    const bytes = this.#log.slice(0, length); // a decoder takes no shared memory
    const lines = new TextDecoder().decode(bytes).split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as TestedRecord);
  }

  /** What the driver called last. */
  lastCall(): Extract<TestedRecord, { readonly kind: 'call' }> | undefined {
    const number = this.#words.load(LAST_CALL); // P2
    const record = this.records()[number - 1];
    return record?.kind === 'call' ? record : undefined;
  }
}
