/** What is left at the end of a run, and whose it is. */
import { z } from 'zod';
import { count, sizeBytes } from './quantities.js';

export const ledgerSchema = z.strictObject({
  buffers: count,
  bytes: sizeBytes,
  attachments: count,
  mappings: count,
  pendingFences: count,
  iovaRanges: count,
  frames: count,
  faults: count,
  empty: z.boolean().describe('true when all of the above are 0'),
});

export const leakSchema = z.strictObject({
  device: z.string(),
  attached: z.array(z.string()).describe('buffers that it is attached to'),
  mapped: z.array(z.string()).describe('buffers of which it has ended fewer mappings and pins than it has begun'),
  mappings: count.describe('of all of them'),
  pendingFences: count,
  iovaRanges: count,
  frames: count.describe('of its own pools that have not come back'),
  faults: count.describe('touches of memory that it no longer had'),
});
