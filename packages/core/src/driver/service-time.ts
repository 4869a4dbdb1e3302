import { z } from 'zod';
import { type Nanoseconds, NS_PER_SECOND, type RandomStream } from '../base/index.js';
import { durationSchema } from './parameter-schemas.js';

/**
 * How long a device works on a frame: a fixed time, a bandwidth (bytes and DMA segments), or a seeded distribution.
 */
export const serviceTimeSchema = z
  .union([
    durationSchema.transform((fixedNs) => ({ kind: 'fixed' as const, fixedNs })),
    z.strictObject({ fixed: durationSchema }).transform(({ fixed }) => ({ kind: 'fixed' as const, fixedNs: fixed })),
    z
      .strictObject({
        bytesPerSecond: z.number().positive(),
        perSegment: durationSchema.default(0),
        overhead: durationSchema.default(0),
      })
      .transform((bandwidth) => ({ kind: 'bandwidth' as const, ...bandwidth })),
    z
      .strictObject({ uniform: z.tuple([durationSchema, durationSchema]) })
      .refine(({ uniform: [low, high] }) => low <= high, 'the first bound is not above the second')
      .transform(({ uniform }) => ({ kind: 'uniform' as const, lowNs: uniform[0], highNs: uniform[1] })),
    z
      .strictObject({ exponential: durationSchema })
      .transform(({ exponential }) => ({ kind: 'exponential' as const, meanNs: exponential })),
  ])
  .meta({
    title: 'service time',
    description:
      'A duration such as 4ms, {bytesPerSecond, perSegment?, overhead?}, {uniform: [low, high]} or {exponential: mean}',
  });

export type ServiceTime = z.output<typeof serviceTimeSchema>;

/** Draws the time of one service, in integer nanoseconds. */
export function serviceNs(service: ServiceTime, bytes: number, segments: number, random: RandomStream): Nanoseconds {
  switch (service.kind) {
    case 'fixed':
      return service.fixedNs;
    case 'bandwidth': {
      const transferNs = Math.ceil((bytes / service.bytesPerSecond) * NS_PER_SECOND);
      return service.overhead + transferNs + segments * service.perSegment;
    }
    case 'uniform':
      return service.lowNs + random.integer(service.highNs - service.lowNs + 1);
    case 'exponential':
      return Math.round(random.exponential(service.meanNs));
  }
}
