/**
 * What happens before what: vector clocks of actors and words, and the accesses to plain memory that they order.
 *
 * A load takes over the clock that the last store left on its word; a store leaves the clock of its actor there; a
 * read-modify-write does both. Accesses to pages that no such chain orders race. Source: the FastTrack algorithm
 * (Flanagan and Freund, PLDI 2009), with full vectors for reads.
 */

/** Actors of one schedule, reclaimers included. */
export const MOST_ACTORS = 8;

/** Two accesses to one page that nothing orders. */
export class PageRace extends Error {
  constructor(
    readonly page: string,
    readonly earlier: number,
    readonly later: number,
    readonly kinds: string,
  ) {
    super(`actors ${earlier} and ${later} race on ${page} (${kinds})`);
  }
}

interface PageState {
  /** The schedule that this is about. */
  schedule: number;
  writer: number;
  writeClock: number;
  readonly readClocks: Int32Array;
}

export class VectorClocks {
  readonly #actors = new Int32Array(MOST_ACTORS * MOST_ACTORS);
  readonly #words: Int32Array;
  /** The schedule in which a word's clock was written: clocks of earlier ones count as zero. */
  readonly #writtenIn: Int32Array;
  readonly #pages = new Map<string, PageState>();
  #schedule = 0;
  #count = MOST_ACTORS;

  constructor(wordCount: number) {
    this.#words = new Int32Array(wordCount * MOST_ACTORS);
    this.#writtenIn = new Int32Array(wordCount);
  }

  reset(): void {
    this.#schedule += 1;
    this.#actors.fill(0);
    for (let actor = 0; actor < MOST_ACTORS; actor += 1) this.#actors[actor * MOST_ACTORS + actor] = 1;
    this.#count = 1;
  }

  /** An actor begins; what it is told about happened before. */
  begin(actor: number, after: readonly number[] = []): void {
    this.#count = Math.max(this.#count, actor + 1);
    for (const other of after) {
      for (let i = 0; i < MOST_ACTORS; i += 1)
        this.#raise(actor * MOST_ACTORS + i, this.#actors[other * MOST_ACTORS + i]);
    }
  }

  acquire(actor: number, word: number): void {
    if (this.#writtenIn[word] !== this.#schedule) return;
    const own = actor * MOST_ACTORS;
    const from = word * MOST_ACTORS;
    for (let i = 0; i < this.#count; i += 1) {
      if (this.#words[from + i] > this.#actors[own + i]) this.#actors[own + i] = this.#words[from + i];
    }
  }

  release(actor: number, word: number): void {
    const own = actor * MOST_ACTORS;
    const to = word * MOST_ACTORS;
    for (let i = 0; i < MOST_ACTORS; i += 1) this.#words[to + i] = this.#actors[own + i];
    this.#writtenIn[word] = this.#schedule;
    this.#actors[own + actor] += 1;
  }

  /** @throws PageRace when an access by another actor is not ordered before this one */
  access(actor: number, page: string, kind: 'read' | 'write'): void {
    let state = this.#pages.get(page);
    if (state === undefined) {
      state = { schedule: 0, writer: -1, writeClock: 0, readClocks: new Int32Array(MOST_ACTORS) };
      this.#pages.set(page, state);
    }
    if (state.schedule !== this.#schedule) {
      state.schedule = this.#schedule;
      state.writer = -1;
      state.readClocks.fill(0);
    }
    const own = actor * MOST_ACTORS;
    if (state.writer >= 0 && state.writer !== actor && state.writeClock > this.#actors[own + state.writer]) {
      throw new PageRace(page, state.writer, actor, `write, then ${kind}`);
    }
    if (kind === 'read') {
      state.readClocks[actor] = this.#actors[own + actor];
      return;
    }
    for (let reader = 0; reader < this.#count; reader += 1) {
      if (reader !== actor && state.readClocks[reader] > this.#actors[own + reader]) {
        throw new PageRace(page, reader, actor, 'read, then write');
      }
    }
    state.writer = actor;
    state.writeClock = this.#actors[own + actor];
  }

  #raise(at: number, value: number): void {
    if (value > this.#actors[at]) this.#actors[at] = value;
  }
}
