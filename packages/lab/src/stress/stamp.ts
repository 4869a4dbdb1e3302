/**
 * Stamps: what a driver of a stress run writes into each page, at its first and last words, so that a reader can tell whose
 * content it sees, and whether it is whole.
 */
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';

/** "stam", as no fresh page begins. */
const MAGIC = 0x6d61_7473;
const STAMP_WORDS = 8;
const PAGE_WORDS = PAGE_SIZE / 4;

export interface Stamp {
  readonly slot: number;
  /** Of the slot. */
  readonly life: number;
  /** Number of the content of this life of the slot, from 1. */
  readonly content: number;
  /** The lane that wrote it. */
  readonly lane: number;
  /** How often the lane's driver had died. */
  readonly laneLife: number;
}

/** The pages of a buffer, in order; each a view over its words. */
export function* pagesOf(segments: readonly Uint8Array[]): Generator<Int32Array> {
  for (const { buffer, byteOffset, byteLength } of segments) {
    for (let at = 0; at < byteLength; at += PAGE_SIZE) yield new Int32Array(buffer, byteOffset + at, PAGE_WORDS);
  }
}

/** Stamps a page. */
export function stampPage(page: Int32Array, index: number, stamp: Stamp): void {
  writeAt(page, 0, index, stamp);
  writeAt(page, PAGE_WORDS - STAMP_WORDS, index, stamp);
}

function writeAt(page: Int32Array, at: number, index: number, { slot, life, content, lane, laneLife }: Stamp): void {
  page[at] = MAGIC;
  page[at + 1] = slot;
  page[at + 2] = life;
  page[at + 3] = content;
  page[at + 4] = lane;
  page[at + 5] = laneLife;
  page[at + 6] = index;
  page[at + 7] = sumOf(page, at);
}

/** What is at one end of a page: a stamp, nothing (zeros), or something else. */
export function readStamp(page: Int32Array, end: 'first' | 'last', index: number): Stamp | 'fresh' | 'garbage' {
  const at = end === 'first' ? 0 : PAGE_WORDS - STAMP_WORDS;
  if (page[at] !== MAGIC) {
    for (let i = 0; i < STAMP_WORDS; i += 1) if (page[at + i] !== 0) return 'garbage';
    return 'fresh';
  }
  if (page[at + 7] !== sumOf(page, at) || page[at + 6] !== index) return 'garbage';
  return {
    slot: page[at + 1],
    life: page[at + 2],
    content: page[at + 3],
    lane: page[at + 4],
    laneLife: page[at + 5],
  };
}

function sumOf(page: Int32Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < STAMP_WORDS - 1; i += 1) sum = (Math.imul(sum, 31) + page[at + i]) | 0;
  return sum;
}
