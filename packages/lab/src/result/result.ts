/**
 * The result of a run: what `--json` prints and `result.json` holds. Version 1.
 *
 * All times are integer nanoseconds of model time, all sizes bytes. Sequence numbers are listed as ranges, both ends
 * included. The order of the keys below, and in the files that say what each part holds, is the order in the file.
 */
import { z } from 'zod';
import { attachSchema, bufferSchema, hazardSchema, prematureMapSchema } from './buffers.js';
import { historySchema, sanitizerSchema } from './checkers.js';
import { brokenMessagesSchema, corruptionSchema } from './corruptions.js';
import { deviceSchema, endToEndSchema, linkSchema } from './frames.js';
import { allocationSchema, heapSchema } from './heaps.js';
import { incidentSchema } from './incidents.js';
import { leakSchema, ledgerSchema } from './leaks.js';
import { count, sizeBytes, timeNs } from './quantities.js';

const artefactSchema = z.strictObject({
  kind: z.enum(['video', 'picture', 'text', 'trace', 'result']),
  device: z.string().optional(),
  file: z.string().describe('name in the output directory'),
  frames: count.optional(),
  backend: z.string().optional().describe('what encoded a video'),
});

const expectationSchema = z.strictObject({
  path: z.string(),
  expected: z.unknown(),
  actual: z.unknown(),
  ok: z.boolean(),
});

export const runResultSchema = z
  .strictObject({
    version: z.literal(1),
    scenario: z.string(),
    description: z.string().optional(),
    runtime: z.enum(['threads', 'virtual']),
    pace: z.enum(['real', 'max']),
    payload: z.enum(['pixels', 'stamp', 'timing']),
    seed: z.int(),
    ties: z.enum(['fifo', 'seed']),
    durationNs: timeNs,
    endNs: timeNs.describe('when the pipeline had drained'),
    endedBy: z.enum(['duration', 'interrupted']),
    fingerprint: z.string().nullable().describe('equal for equal runs; null where the runtime is not deterministic'),
    devices: z.record(z.string(), deviceSchema),
    links: z.array(linkSchema),
    latency: z.array(endToEndSchema),
    buffers: z.array(bufferSchema),
    attaches: z.array(attachSchema),
    hazards: z.array(hazardSchema),
    prematureMaps: z
      .array(prematureMapSchema)
      .describe('maps that placed buffers before a device came that could not reach them'),
    heaps: z.array(heapSchema),
    allocations: z
      .array(allocationSchema)
      .describe('how long allocations took: finding the pages and zeroing them, by heap, kind and pool'),
    pools: z.array(
      z.strictObject({
        name: z.string(),
        buffers: count,
        heldNs: timeNs.describe('how long the producer held buffers of the pool to draw into them, added up'),
      }),
    ),
    incidents: z
      .array(incidentSchema)
      .describe(
        'deaths, restarts, silences and deadlocks of devices, orders of locks that contradict each other, fences and mappings that ' +
          'lasted too long, in order; counters of a device are those of its last life',
      ),
    unwatchedMappings: count
      .optional()
      .describe('mappings for whose age there was no room to be watched (debug); absent = none'),
    unwatchedLockOrders: count
      .optional()
      .describe('orders of two locks for which there was no room to be watched (debug); absent = none'),
    unrecorded: z
      .record(z.string(), count)
      .optional()
      .describe(
        'how many more entries there were than the lists of this result have room for, by list (buffers, moves and placements of ' +
          'buffers, attaches, allocations, hazards, corruptions, incidents, stalls and sequences of devices and links; overdue: incidents ' +
          'of fences and mappings that lasted too long); absent = all are here',
      ),
    bytesCopied: sizeBytes.describe('by the framework; all of them by moving buffers'),
    moves: count.describe('moves that succeeded'),
    controlCalls: count.describe('calls to the exporter; they do not grow with the number of frames'),
    controlCallsByMethod: z.record(z.string(), count),
    brokenMessages: z
      .array(brokenMessagesSchema)
      .optional()
      .describe(
        'the devices that sent the exporter broken control messages, then those whose workers posted to the runtime what is none of its messages; absent = none',
      ),
    corruptions: z
      .array(corruptionSchema)
      .optional()
      .describe(
        'buffers, timelines, frames, pools, links and queues whose control words somebody has overwritten; absent = none',
      ),
    sanitizer: sanitizerSchema
      .optional()
      .describe('what the DMA sanitizer found; absent = it was off (debug.sanitizer, --sanitize)'),
    history: historySchema
      .optional()
      .describe('what the history checker found; absent = it was off (debug.history, --check-history)'),
    ledger: ledgerSchema.describe('what is left at the end, which ought to be nothing'),
    leaks: z.array(leakSchema).optional().describe('whose it is that is left; absent = nothing is, of any device'),
    artefacts: z.array(artefactSchema),
    expectations: z.array(expectationSchema),
  })
  .meta({ title: 'Result of a dmabuf-lab run', description: 'All times are integer nanoseconds, all sizes bytes.' });

export type RunResult = z.infer<typeof runResultSchema>;
export type DeviceResult = RunResult['devices'][string];
export type BufferResult = RunResult['buffers'][number];
export type MoveResult = BufferResult['moves'][number];

/** The JSON Schema (2020-12) of a result, as published in `docs/result.schema.json`. */
export function resultJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(runResultSchema, {
    override: ({ jsonSchema }) => {
      // Every integer of JavaScript has these bounds: saying so at each of them hides the ones that mean something.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
}
