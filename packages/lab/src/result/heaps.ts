/** How full each heap was, what it keeps at the end, and how long allocations took. */
import { z } from 'zod';
import { latencyFields } from './latency.js';
import { count, sizeBytes } from './quantities.js';

export const heapSchema = z.strictObject({
  name: z.string(),
  sizeBytes,
  peakBytes: sizeBytes,
  freeBytes: sizeBytes.describe('at the end, with what pools and queues keep'),
  largestFreeRunBytes: sizeBytes.describe('at the end'),
  fragmentation: z
    .number()
    .describe('at the end: 1 - largest free run / free bytes; 0 when it is one run, or nothing is free'),
  bytesAtEnd: sizeBytes,
  pool: z
    .strictObject({
      hits: count.describe('blocks that came from the pool, zeroed'),
      misses: count.describe('blocks that did not'),
      bytesAtEnd: sizeBytes,
    })
    .optional(),
  deferredFree: z
    .strictObject({
      zeroedBytes: sizeBytes.describe('in the background, so that nobody waited'),
      bytesAtEnd: sizeBytes.describe('freed and not zeroed'),
    })
    .optional(),
});

export const allocationSchema = z.strictObject({
  heap: z.string(),
  kind: z
    .enum(['eager', 'deferred', 'move'])
    .describe('eager: when the buffer was created; deferred: at its first map; move: for a device that came late'),
  pooled: z.boolean().describe('some of the pages came from a pool'),
  bytes: sizeBytes,
  pooledBytes: sizeBytes,
  ...latencyFields,
});
