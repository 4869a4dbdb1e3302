/**
 * The merged rules of a layout as a row of numbers, one slot a dimension, each with the operator that merges it.
 *
 * The search merges and compares rows without knowing what they mean; what they mean is said here and in arrange.ts.
 * Stride slots are bytes of the first plane's stride.
 */
import { leastCommonMultiple } from '../numbers.js';
import { MAX_PLANES } from './formats.js';

/** How a slot merges. `same`: 0 is nothing said, else all must be equal; -1 when they are not. */
export type SlotOperator = 'lcm' | 'max' | 'min' | 'or' | 'sum' | 'same';

/** The slots, by index into a row. */
export const SLOT = {
  strideAlignment: 0,
  minStride: 1,
  maxStride: 2,
  strideExact: 3,
  stridePowerOfTwo: 4,
  blockWidth: 5,
  blockHeight: 6,
  heightAlignment: 7,
  /** One for each plane, as the two after it. */
  rowAlignment: 8,
  offsetAlignment: 8 + MAX_PLANES,
  extraBytes: 8 + 2 * MAX_PLANES,
  trailingBytes: 8 + 3 * MAX_PLANES,
  /** Whether the bytes at the end are at least one stride. */
  trailingStride: 9 + 3 * MAX_PLANES,
  sizeAlignment: 10 + 3 * MAX_PLANES,
  implicitDomain: 11 + 3 * MAX_PLANES,
  held: 12 + 3 * MAX_PLANES,
  dedicatedSlack: 13 + 3 * MAX_PLANES,
  sharedSlack: 14 + 3 * MAX_PLANES,
  minBuffers: 15 + 3 * MAX_PLANES,
  maxBuffers: 16 + 3 * MAX_PLANES,
} as const;

/** Numbers in a row. */
export const SLOTS = 17 + 3 * MAX_PLANES;

const perPlane = (operator: SlotOperator): SlotOperator[] => Array.from({ length: MAX_PLANES }, () => operator);

/** The operator of each slot. */
export const SLOT_OPERATORS: readonly SlotOperator[] = [
  ...(['lcm', 'max', 'min', 'or', 'or', 'lcm', 'lcm', 'lcm'] as const),
  ...perPlane('lcm'),
  ...perPlane('lcm'),
  ...perPlane('max'),
  ...(['max', 'or', 'lcm', 'same', 'sum', 'sum', 'max', 'max', 'min'] as const),
];

/** What says nothing, by operator. */
const NEUTRAL: Readonly<Record<SlotOperator, number>> = {
  lcm: 1,
  max: 0,
  min: Number.POSITIVE_INFINITY,
  or: 0,
  sum: 0,
  same: 0,
};

/** Numeric codes, so that the inner loop compares no strings. */
const CODES: Readonly<Record<SlotOperator, number>> = { lcm: 0, max: 1, or: 1, min: 2, sum: 3, same: 4 };
const OPERATOR_CODES = Uint8Array.from(SLOT_OPERATORS, (operator) => CODES[operator]);
const NEUTRAL_ROW = Float64Array.from(SLOT_OPERATORS, (operator) => NEUTRAL[operator]);

/** Merged rules; index by {@link SLOT}. */
export type LayoutRow = Float64Array;

/** A row that says nothing. */
export function neutralRow(): LayoutRow {
  return NEUTRAL_ROW.slice();
}

/** Merges one statement into a row, in place. */
export function mergeSlot(row: LayoutRow, slot: number, value: number): void {
  const before = row[slot];
  switch (OPERATOR_CODES[slot]) {
    case 0:
      if (before % value !== 0 && before !== Number.POSITIVE_INFINITY) row[slot] = leastCommonMultiple(before, value);
      return;
    case 1:
      if (value > before) row[slot] = value;
      return;
    case 2:
      if (value < before) row[slot] = value;
      return;
    case 3:
      row[slot] = before + value;
      return;
    default:
      if (before === 0) row[slot] = value;
      else if (before !== value) row[slot] = -1;
  }
}

/** Whether `a` demands no more than `b` in any slot: whatever completes `b` then completes `a`. */
export function demandsNoMore(a: LayoutRow, b: LayoutRow): boolean {
  for (let slot = 0; slot < SLOTS; slot++) {
    const x = a[slot];
    const y = b[slot];
    if (x === y) continue;
    switch (OPERATOR_CODES[slot]) {
      case 0:
        if (y !== Number.POSITIVE_INFINITY && y % x !== 0) return false;
        break;
      case 2:
        if (x < y) return false;
        break;
      case 4:
        if (x !== 0 && y !== -1) return false;
        break;
      default:
        if (x > y) return false;
    }
  }
  return true;
}
