/** What is left of an exporter at each change that it makes: of the words, and of its journal. */
import { AtomicWords, type Journal, type WordIndex } from '@dmabuf-lab/core/base';

/** What is left when the exporter dies at an instant. */
export interface Remains {
  readonly words: SharedArrayBuffer;
  readonly entries: ReadonlyMap<string, unknown>;
  readonly at: string;
}

/** Words that tell before and after each change of them. */
class WatchedWords extends AtomicWords {
  onChange: (what: string) => void = () => {};

  override store(word: WordIndex, value: number): void {
    this.onChange(`before store ${word}`);
    super.store(word, value);
    this.onChange(`after store ${word}`);
  }
}

export class WatchedJournal implements Journal {
  readonly restored: Map<string, unknown>;
  readonly entries: Map<string, unknown>;
  onChange: (what: string) => void = () => {};

  /** @param restored what earlier lives have written */
  constructor(restored: ReadonlyMap<string, unknown> = new Map()) {
    this.restored = new Map(restored);
    this.entries = new Map(restored);
  }

  set(key: string, value: unknown): void {
    if (value === undefined) this.entries.delete(key);
    else this.entries.set(key, structuredClone(value));
    this.onChange(`entry ${key}`);
  }
}

/** Words and a journal, and what is left of them at each change from here on. */
export function watched(bytes: number): { words: AtomicWords; journal: WatchedJournal; remains: Remains[] } {
  const words = new WatchedWords(new SharedArrayBuffer(bytes));
  const journal = new WatchedJournal();
  const remains: Remains[] = [];
  const keep = (at: string): void => {
    const copy = new SharedArrayBuffer(bytes);
    new Uint8Array(copy).set(new Uint8Array(words.buffer));
    remains.push({ words: copy, entries: structuredClone(journal.entries), at });
  };
  words.onChange = keep;
  journal.onChange = keep;
  return { words, journal, remains };
}
