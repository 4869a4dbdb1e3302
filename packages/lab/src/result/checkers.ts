/** What the checkers found that a run has only when it is asked for: the DMA sanitizer and the history checker. */
import { z } from 'zod';
import { bufferHistorySchema, HISTORY_OF_BUFFER } from './buffer-history.js';
import { count, sizeBytes, timeNs } from './quantities.js';

export const sanitizerSchema = z.strictObject({
  checkedBytes: sizeBytes.describe('freed, and looked at before they were reused'),
  damaged: count.describe('freed allocations that somebody wrote to; the first hundred are told below'),
  findings: z.array(
    z.strictObject({
      heap: z.string(),
      address: z.int().min(0).describe('of the first byte that was written'),
      lengthBytes: sizeBytes.describe('from there to the last that was'),
      buffer: z.string().optional().describe('that had the pages last; absent = no device ever got them'),
      generations: z.array(count).describe('in which it had them'),
      devices: z.array(z.string()).describe('that were given them while it had them: one of them wrote'),
      freedNs: timeNs,
      seenNs: timeNs,
      history: bufferHistorySchema.optional().describe(HISTORY_OF_BUFFER),
    }),
  ),
});

export const historySchema = z.strictObject({
  events: count.describe('seen at all buffers'),
  violationCount: count,
  violations: z
    .array(
      z.strictObject({
        text: z.string(),
        slot: count.optional().describe("the buffer's"),
        device: z.string().describe('that was found at it, or that waits'),
        history: bufferHistorySchema.describe(
          'of the buffer since its last good state; empty after the first violation of a buffer',
        ),
      }),
    )
    .describe('the first of them'),
});
