/** What a driver has broken: control messages that it sent, and control words that somebody has overwritten. */
import { z } from 'zod';
import { bufferHistorySchema, HISTORY_OF_BUFFER } from './buffer-history.js';
import { count, timeNs } from './quantities.js';

export const brokenMessagesSchema = z.strictObject({
  device: z.string(),
  count: count.describe('messages that the exporter or, on threads, the runtime refused as broken'),
  firstNs: timeNs,
  reason: z.string().describe('what was wrong with the first'),
  quarantinedNs: timeNs.optional().describe('since when nothing of it is read; absent = it is'),
  unread: count.describe('messages refused unread since then'),
});

export const corruptionSchema = z.strictObject({
  buffer: z.string().optional().describe('that was given up; absent for what is none'),
  pool: z.string().optional().describe("the buffer's or the frame's; alone: that was given up"),
  timeline: z
    .strictObject({ device: z.string(), lane: count.describe('which of its lanes, from 0') })
    .optional()
    .describe('that was given up'),
  frame: count.optional().describe('of the pool, from 0: that was given up'),
  link: z
    .strictObject({ from: z.string(), to: z.string() })
    .optional()
    .describe('whose ring is at its end, for its producer and its consumer'),
  queue: z
    .string()
    .optional()
    .describe('the buffer whose services wait in it, or the copy engine; nobody was kept from being served'),
  what: z.string().describe('the slot and what was seen there'),
  seenNs: timeNs,
  devices: z.array(z.string()).describe('attached to the buffer at that time'),
  history: bufferHistorySchema.optional().describe(HISTORY_OF_BUFFER),
});
