/** The board that a stress run takes place on: little memory, so that heaps run out, and pages on both sides of 4 GiB. */
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { type BoardSpec, boardOf } from '../run/board.js';
import type { StressPlan } from './plan.js';

const LOW_BASE = 0x4000_0000;
const HIGH_BASE = 0x1_0000_0000;
/** Of each listing, on average; buffers have 1 to 8. */
const PAGES = { low: 6, high: 6, cma: 6 };
/** Worn, so that what is free is scattered. */
const AGED_SHARE = 0.25;

/** Two windows of system pages and a CMA region, sized by the buffers of the plan. */
export function stressBoard({ buffers, seed }: StressPlan): BoardSpec {
  const bytes = (pages: number): number => Math.ceil((buffers * pages) / 16 + 4) * 16 * PAGE_SIZE;
  const cma = { base: LOW_BASE + bytes(PAGES.low), size: bytes(PAGES.cma) };
  const windows = [
    { name: 'low', base: LOW_BASE, size: bytes(PAGES.low) + cma.size },
    { name: 'high', base: HIGH_BASE, size: bytes(PAGES.high) },
  ];
  return boardOf({
    memory: { windows },
    heaps: [
      { name: 'system', kind: 'system', window: ['low', 'high'], aged: { keep: AGED_SHARE, seed } },
      { name: 'cma', kind: 'cma', window: 'low', ...cma, alignmentOrder: 2 },
    ],
  });
}
