/** Schemas for the parameters of drivers, with the units that a scenario writes. */
import { z } from 'zod';
import type { Nanoseconds, Rate } from '../base/index.js';

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1000,
  ms: 1_000_000,
  s: 1_000_000_000,
  min: 60_000_000_000,
  h: 3_600_000_000_000,
};

/** Reads a duration such as '6ms' or '0.5s'. @returns integer nanoseconds, or undefined when it is none */
export function parseDuration(text: string): Nanoseconds | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(ns|us|ms|s|min|h)$/.exec(text.trim());
  if (match === null) return undefined;
  const ns = Number(match[1]) * UNITS[match[2]];
  return Number.isSafeInteger(Math.round(ns)) ? Math.round(ns) : undefined;
}

/** A duration with its unit; in nanoseconds once parsed. */
export const durationSchema = z
  .union([z.string(), z.literal(0)])
  .transform((value, context) => {
    const ns = value === 0 ? 0 : parseDuration(value);
    if (ns !== undefined) return ns;
    context.addIssue({
      code: 'custom',
      message: "expected a duration with a unit, such as '6ms' or '0.5s'",
      input: value,
    });
    return z.NEVER;
  })
  .meta({ description: "a duration with a unit: ns, us, ms, s, min or h, such as '6ms'" });

/** Reads a rate such as 30 or '30000/1001'. */
export function parseRate(value: string | number): Rate | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? { num: value, den: 1 } : undefined;
  const match = /^(\d+)(?:\/(\d+))?$/.exec(value.trim());
  if (match === null) return undefined;
  const [num, den] = [Number(match[1]), Number(match[2] ?? '1')];
  return num > 0 && den > 0 && num <= 1_000_000_000 && den <= 1_000_000_000 ? { num, den } : undefined;
}

/** Events per second as an exact rational number. */
export const rateSchema = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    const rate = parseRate(value);
    if (rate !== undefined) return rate;
    const message = "expected a rate as a whole number or an exact fraction, such as 30 or '30000/1001'";
    context.addIssue({ code: 'custom', message, input: value });
    return z.NEVER;
  })
  .meta({ description: "events per second, exactly: 30 or '30000/1001'" });
