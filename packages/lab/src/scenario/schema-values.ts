/** The values that scenarios, profiles and boards are written in: names, sizes, addresses, durations. */
import { durationSchema } from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { addressSchema, sizeSchema } from './units.js';

const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_-]*$/;
const PORT_PATTERN = /^[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z][A-Za-z0-9_-]*$/;
const NAME_RULE = 'expected a name: a letter, then letters, digits, - or _';
const PORT_RULE = 'expected device.port, such as camera.out';

/** Of a device, a heap, a window, a profile. */
export const name = z.string().max(64).regex(NAME_PATTERN, NAME_RULE);
/** Of a device's output or input, such as `camera.out`. */
export const port = z.string().max(129).regex(PORT_PATTERN, PORT_RULE);

/** A size, in bytes once parsed. */
export const size = (description: string) => sizeSchema.meta({ description: `${description}; a size such as 64MiB` });
/** A size of at least one byte. */
export const positiveSize = (description: string) =>
  size(description).refine((bytes) => bytes > 0, 'expected a size of at least 1 byte');
/** A byte address, a number once parsed. */
export const address = (description: string) =>
  addressSchema.meta({ description: `${description}; an address such as 0x4000_0000` });
/** A duration, in integer nanoseconds once parsed. */
export const duration = (description: string) =>
  durationSchema.meta({ description: `${description}; a duration with a unit, such as 500ms` });
/** A duration of more than nothing. */
export const positiveDuration = (description: string) =>
  duration(description).refine((ns) => ns > 0, 'expected a duration of more than 0');
/** Bytes per second. */
export const bandwidth = (description: string) => z.number().min(1).max(1e15).meta({ description });
/** What something costs, in the unit in which heaps are scarce. */
export const cost = (description: string) => z.number().min(0).max(1e6).meta({ description });

/** Whether a number is 1, 2, 4, … */
export const powerOfTwo = (value: number): boolean => value >= 1 && 2 ** Math.round(Math.log2(value)) === value;
