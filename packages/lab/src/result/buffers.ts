/** Where buffers lay and why: their places and moves, what attaches led to, and what worked by luck only. */
import { z } from 'zod';
import { count, sizeBytes, timeNs } from './quantities.js';

const deviceTimeSchema = z.strictObject({ device: z.string(), ns: timeNs });

const moveSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  bytes: sizeBytes,
  reason: z.string(),
  forcedBy: z.array(z.string()).describe('the devices without which the buffer could have stayed'),
  requestedNs: timeNs,
  startNs: timeNs.describe('when new maps were stopped'),
  drainedNs: timeNs.describe('when the last mapping and the last fence had ended'),
  endNs: timeNs,
  outcome: z.enum(['moved', 'timed-out', 'refused']),
  error: z
    .strictObject({
      code: z.string().describe('an errno name, e.g. ETIMEDOUT'),
      message: z.string(),
      holders: z.array(z.string()).describe('the devices that still held the buffer'),
    })
    .optional(),
  waited: z.array(deviceTimeSchema).describe('the devices that the move waited for'),
  notified: z.array(z.string()).optional().describe('the dynamic importers that moveNotify told; absent = none'),
  stalled: z.array(deviceTimeSchema).describe('the devices that waited for the move'),
});

export const bufferSchema = z.strictObject({
  name: z.string(),
  pool: z.string(),
  sizeBytes,
  placements: z.array(z.strictObject({ heap: z.string(), atNs: timeNs, why: z.string() })),
  moves: z.array(moveSchema),
});

export const attachSchema = z.strictObject({
  device: z.string(),
  pool: z.string(),
  atNs: timeNs,
  buffers: count.describe('how many buffers of the pool fared alike'),
  outcome: z.enum(['compatible', 'will-move', 'refused']),
  why: z.string(),
  forcedBy: z.array(z.string()),
});

export const hazardSchema = z.strictObject({
  kind: z
    .enum([
      'contiguous-by-luck',
      'reachable-by-luck',
      'bounce',
      'silent-corruption',
      'implicit-modifier',
      'layout-conflict',
      'cpu-reads-stale',
      'cpu-writes-late',
    ])
    .describe('what works, or seems to, though nobody promises it; Linux says nothing of it'),
  device: z.string(),
  pool: z.string(),
  buffers: count.describe('how many buffers of the pool are concerned'),
  heap: z.string().optional(),
  bytesPerMap: sizeBytes.describe('copied by swiotlb each time one of them is mapped; 0 for other kinds'),
  message: z.string(),
});

export const prematureMapSchema = z.strictObject({
  pool: z.string(),
  buffers: count,
  mappedBy: z.string().describe('the device whose map placed the buffers'),
  mappedNs: timeNs,
  forcedBy: z.array(z.string()).describe('the devices that came later and forced a move'),
  bytes: sizeBytes.describe('copied for it'),
});
