/** Words that do something else than was asked for: how a deliberate mistake is made inside production code. */
import { AtomicWords, type WordIndex } from '@dmabuf-lab/core/base';
import type { ExploredWords } from './explored-words.js';

/** Replaces operations; `words` performs the right ones. What is absent is done as asked for. */
export interface Mutation {
  load?(words: ExploredWords, word: WordIndex): number;
  store?(words: ExploredWords, word: WordIndex, value: number): void;
  add?(words: ExploredWords, word: WordIndex, delta: number): number;
  compareExchange?(words: ExploredWords, word: WordIndex, expected: number, replacement: number): number;
  notify?(words: ExploredWords, word: WordIndex): void;
}

export class MutatedWords extends AtomicWords {
  constructor(
    private readonly words: ExploredWords,
    private readonly mutation: Mutation,
  ) {
    super(words.buffer);
  }

  override load(word: WordIndex): number {
    return this.mutation.load?.(this.words, word) ?? this.words.load(word);
  }
  override store(word: WordIndex, value: number): void {
    if (this.mutation.store === undefined) this.words.store(word, value);
    else this.mutation.store(this.words, word, value);
  }
  override add(word: WordIndex, delta: number): number {
    return this.mutation.add?.(this.words, word, delta) ?? this.words.add(word, delta);
  }
  override compareExchange(word: WordIndex, expected: number, replacement: number): number {
    return (
      this.mutation.compareExchange?.(this.words, word, expected, replacement) ??
      this.words.compareExchange(word, expected, replacement)
    );
  }
  override notify(word: WordIndex): void {
    if (this.mutation.notify === undefined) this.words.notify(word);
    else this.mutation.notify(this.words, word);
  }
}

/** An addition in two operations, between which others may come. */
export function addInTwo(words: ExploredWords, word: WordIndex, delta: number): number {
  const before = words.load(word);
  words.store(word, before + delta);
  return before;
}

/** A compare-and-swap in two operations. */
export function swapInTwo(words: ExploredWords, word: WordIndex, expected: number, replacement: number): number {
  const before = words.load(word);
  if (before === expected) words.store(word, replacement);
  return before;
}

/** Wakes before it stores, and not after. */
export const NOTIFIES_BEFORE_IT_STORES: Mutation = {
  store(words, word, value) {
    words.notify(word);
    words.store(word, value);
  },
  add(words, word, delta) {
    words.notify(word);
    return words.add(word, delta);
  },
  notify() {},
};
