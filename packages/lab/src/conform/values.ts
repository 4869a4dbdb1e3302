/** Values as they stand in case files: numbers, flag words, references, bytes. */
import { z } from 'zod';

const NUMERIC = /^-?(0x[0-9a-fA-F]+|\d+)$/;
const wholeNumber = z.union([z.int(), z.string().regex(NUMERIC)], { error: 'expected a whole number' });

/** A whole number; as text where it does not fit a double. */
export const integer = wholeNumber.transform((value) => (typeof value === 'string' ? bigintOf(value) : BigInt(value)));

/** A whole number that is small enough to count with. */
export const count = wholeNumber.transform((value) => (typeof value === 'string' ? Number(bigintOf(value)) : value));

/** Lower-case hexadecimal bytes. */
export const hexBytes = z
  .string()
  .regex(/^([0-9a-f]{2})*$/, 'expected bytes in lower-case hexadecimal')
  .transform((text) => Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));

/** A name bound by an earlier step, or a number. */
export const reference = z.union([z.string(), z.int()], { error: 'expected a name or a whole number' });
export type Reference = z.infer<typeof reference>;

/** A number, the name of a flag, or a list of both that are or-ed. */
const flagPart = z.union([z.int(), z.string()]);

/** A flag word with these names. */
export function flags(names: Readonly<Record<string, number>>) {
  return z.union([flagPart, z.array(flagPart)]).transform((word, context) => {
    const parts = Array.isArray(word) ? word : [word];
    let bits = 0n;
    for (const part of parts) {
      const value = wordOf(part, names);
      if (value === undefined) {
        context.addIssue({
          code: 'custom',
          message: `unknown flag "${part}"; known: ${Object.keys(names).join(', ')}`,
        });
        return z.NEVER;
      }
      bits |= value;
    }
    return bits;
  });
}

/** One of some names, or a number. */
export function enumeration(names: Readonly<Record<string, number>>) {
  return flagPart.transform((part, context) => {
    const value = wordOf(part, names);
    if (value !== undefined) return Number(value);
    context.addIssue({ code: 'custom', message: `unknown name "${part}"; known: ${Object.keys(names).join(', ')}` });
    return z.NEVER;
  });
}

function wordOf(part: number | string, names: Readonly<Record<string, number>>): bigint | undefined {
  if (typeof part === 'number') return BigInt(part);
  if (NUMERIC.test(part)) return bigintOf(part);
  return Object.hasOwn(names, part) ? BigInt(names[part]) : undefined;
}

export function bigintOf(text: string): bigint {
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}

/** The low 32 bits of a word, as a C caller would pass them. */
export const low32 = (word: bigint): number => Number(BigInt.asUintN(32, word));
/** 64 bits of it. */
export const low64 = (word: bigint): bigint => BigInt.asUintN(64, word);

export const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** Names of the bits of a word, in the order of the table; bits without a name follow in hexadecimal. */
export function namesOf(word: number, names: Readonly<Record<string, number>>): string[] {
  const found: string[] = [];
  let rest = word;
  for (const [name, bit] of Object.entries(names)) {
    if (bit === 0 || (rest & bit) >>> 0 !== bit >>> 0) continue;
    found.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  return rest === 0 ? found : [...found, `0x${rest.toString(16)}`];
}
