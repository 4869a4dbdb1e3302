/** Sizes and addresses as a scenario writes them. Durations and rates are those of `@dmabuf-lab/core/driver`. */
import { parseDuration } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export { parseDuration };

const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** For editors; {@link parseSize} decides. */
const SIZE_PATTERN = '^\\d+(\\.\\d+)? ?(B|KiB|MiB|GiB|TiB)$';
const ADDRESS_PATTERN = '^(0x[0-9a-fA-F]+(_[0-9a-fA-F]+)*|\\d+(_\\d+)*)$';

/**
 * Reads a size such as 4096, '64MiB' or '0.5 GiB'.
 *
 * @returns whole bytes, or undefined when it is none: a fraction of a byte, a unit of powers of 1000, a negative number
 */
export function parseSize(value: string | number): number | undefined {
  if (typeof value === 'number') return isWholeNumber(value) ? value : undefined;
  const match = new RegExp(SIZE_PATTERN).exec(value.trim());
  if (match === null) return undefined;
  const bytes = Number.parseFloat(value.trim()) * SIZE_UNITS[match[2]];
  return isWholeNumber(bytes) ? bytes : undefined;
}

/**
 * Reads a byte address such as 1073741824, 0x40000000 or '0x4000_0000'.
 *
 * @returns the address, or undefined when it is none or not below 2^53
 */
export function parseAddress(value: string | number): number | undefined {
  if (typeof value === 'number') return isWholeNumber(value) ? value : undefined;
  const text = value.trim();
  if (!new RegExp(ADDRESS_PATTERN).test(text)) return undefined;
  const address = Number(text.replaceAll('_', ''));
  return isWholeNumber(address) ? address : undefined;
}

function isWholeNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A size; in bytes once parsed. */
export const sizeSchema = z
  .union([z.int().min(0), z.string().meta({ pattern: SIZE_PATTERN })])
  .transform((value, context) => {
    const bytes = parseSize(value);
    if (bytes !== undefined) return bytes;
    const message = "expected a size: whole bytes, or a number with KiB, MiB or GiB, such as '64MiB'";
    context.addIssue({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ description: "a size: whole bytes, or a number with KiB, MiB or GiB, such as '64MiB'" });

/** A byte address; a number once parsed. */
export const addressSchema = z
  .union([z.int().min(0), z.string().meta({ pattern: ADDRESS_PATTERN })])
  .transform((value, context) => {
    const address = parseAddress(value);
    if (address !== undefined) return address;
    const message = 'expected a byte address below 2^53, such as 0x4000_0000';
    context.addIssue({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ description: 'a byte address below 2^53, such as 0x4000_0000' });
