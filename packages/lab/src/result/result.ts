/**
 * The result of a run: what `--json` prints and `result.json` holds. Version 1.
 *
 * All times are integer nanoseconds of model time, all sizes bytes. Sequence numbers are listed as ranges, both ends
 * included. The order of the keys below is the order in the file.
 */
import { z } from 'zod';

const count = z.int().min(0);
const timeNs = z.int().min(0);
const sizeBytes = z.int().min(0);
/** Ranges of sequence numbers, both ends included: [[3, 3], [7, 9]] is 3, 7, 8 and 9. */
const ranges = z.array(z.tuple([count, count])).describe('ranges of sequence numbers, first and last included');

const latencyFields = {
  count: count.describe('how many frames were measured; all times are 0 when it is 0'),
  minNs: timeNs,
  meanNs: timeNs.describe('rounded to the nearest nanosecond'),
  p50Ns: timeNs.describe('median, by nearest rank'),
  p99Ns: timeNs.describe('99th percentile, by nearest rank'),
  maxNs: timeNs,
};
export const latencySchema = z.strictObject(latencyFields);

const stallSchema = z.strictObject({
  buffer: z.string(),
  startNs: timeNs,
  endNs: timeNs,
  why: z
    .enum(['moving', 'placing', 'mapping'])
    .describe(
      'moving: waited for a move; placing: for the first allocation; mapping: for the call that tells where it is',
    ),
});

const deviceSchema = z.strictObject({
  driver: z.string(),
  framesIn: count,
  framesOut: count,
  framesDropped: count,
  droppedSequences: ranges,
  serviceNs: timeNs.describe('time spent on jobs'),
  stallNs: timeNs.describe('time spent waiting for moves; the sum of the stalls that say moving'),
  fenceWaitNs: timeNs,
  stalls: z.array(stallSchema),
  counters: z
    .record(z.string(), z.number())
    .describe(
      'by driver; camera: ticks; display: shown, repeatedVblanks, lateVblanks (a new picture was due and not there); ' +
        'encoder: encoded, refused, videoFrames; every driver: checksPassed, checksFailed (torn or stale), ' +
        'failedFrames (their fences ended with an error), refusedEIO (frames whose buffer or row was given up), endedEIO (links whose ring was overwritten); a dynamic importer: moveNotify (moves that it was told of), pins (calls of dma_buf_pin); a program on a CPU without coherent caches: ' +
        'cpuSyncNs (model time of cache maintenance)',
    ),
  sequences: z.record(z.string(), ranges).describe('which frames went where, e.g. shown, encoded'),
});

const linkSchema = z.strictObject({
  from: z.string().describe('device.port'),
  to: z.string().describe('device.port'),
  policy: z.string(),
  depth: count,
  delivered: count,
  dropped: count,
  droppedSequences: ranges,
  latency: latencySchema,
});

const endToEndSchema = z.strictObject({
  from: z.string().describe('the device where the frames come from'),
  to: z.string().describe('the device where they end'),
  what: z.string().describe('what ends the measurement: display, bitstream, or a name of the driver'),
  ...latencyFields,
});

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

const bufferSchema = z.strictObject({
  name: z.string(),
  pool: z.string(),
  sizeBytes,
  placements: z.array(z.strictObject({ heap: z.string(), atNs: timeNs, why: z.string() })),
  moves: z.array(moveSchema),
});

const attachSchema = z.strictObject({
  device: z.string(),
  pool: z.string(),
  atNs: timeNs,
  buffers: count.describe('how many buffers of the pool fared alike'),
  outcome: z.enum(['compatible', 'will-move', 'refused']),
  why: z.string(),
  forcedBy: z.array(z.string()),
});

const hazardSchema = z.strictObject({
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

const prematureMapSchema = z.strictObject({
  pool: z.string(),
  buffers: count,
  mappedBy: z.string().describe('the device whose map placed the buffers'),
  mappedNs: timeNs,
  forcedBy: z.array(z.string()).describe('the devices that came later and forced a move'),
  bytes: sizeBytes.describe('copied for it'),
});

const heapSchema = z.strictObject({
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

const allocationSchema = z.strictObject({
  heap: z.string(),
  kind: z
    .enum(['eager', 'deferred', 'move'])
    .describe('eager: when the buffer was created; deferred: at its first map; move: for a device that came late'),
  pooled: z.boolean().describe('some of the pages came from a pool'),
  bytes: sizeBytes,
  pooledBytes: sizeBytes,
  ...latencyFields,
});

const brokenMessagesSchema = z.strictObject({
  device: z.string(),
  count: count.describe('control messages that the exporter refused as broken'),
  firstNs: timeNs,
  reason: z.string().describe('what was wrong with the first'),
  quarantinedNs: timeNs.optional().describe('since when the exporter reads nothing of it; absent = it does'),
  unread: count.describe('control messages refused unread since then'),
});

const historyEventsSchema = z.array(
  z.strictObject({
    timeNs,
    actor: z.string(),
    lane: count,
    life: count,
    event: z.string(),
  }),
);

const HISTORY_OF_BUFFER =
  'what its buffer went through before, as far as it is kept; absent = nobody followed it (debug.history)';

const corruptionSchema = z.strictObject({
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
  history: historyEventsSchema.optional().describe(HISTORY_OF_BUFFER),
});

const sanitizerSchema = z.strictObject({
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
      history: historyEventsSchema.optional().describe(HISTORY_OF_BUFFER),
    }),
  ),
});

const historySchema = z.strictObject({
  events: count.describe('seen at all buffers'),
  violationCount: count,
  violations: z
    .array(
      z.strictObject({
        text: z.string(),
        slot: count.optional().describe("the buffer's"),
        device: z.string().describe('that was found at it, or that waits'),
        history: historyEventsSchema.describe(
          'of the buffer since its last good state; empty after the first violation of a buffer',
        ),
      }),
    )
    .describe('the first of them'),
});

const ledgerSchema = z.strictObject({
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

const leakSchema = z.strictObject({
  device: z.string(),
  attached: z.array(z.string()).describe('buffers that it is attached to'),
  mapped: z.array(z.string()).describe('buffers of which it has ended fewer mappings and pins than it has begun'),
  mappings: count.describe('of all of them'),
  pendingFences: count,
  iovaRanges: count,
  frames: count.describe('of its own pools that have not come back'),
  faults: count.describe('touches of memory that it no longer had'),
});

const incidentSchema = z.strictObject({
  kind: z
    .enum([
      'died',
      'late',
      'reclaimed',
      'restarted',
      'gave-up',
      'deadlock',
      'lock-order',
      'fence-overdue',
      'mapping-overlong',
    ])
    .describe(
      'died: it was never stepped again; late: it did nothing for long, and was left alone; reclaimed: nothing is left of ' +
        'what it held; restarted: its next life began; gave-up: the supervisor has ended the run; deadlock: it waits, by way of ' +
        'others, for itself (virtual runtime: from here on; threads: seen here); lock-order: it took two reservations in an ' +
        'order that contradicts another (debug.reservationLocks: plain); fence-overdue: a fence that it published was not ' +
        'signalled by its deadline; mapping-overlong: it had a buffer mapped for too long',
    ),
  device: z.string(),
  atNs: timeNs,
  life: count.describe('how often it had died before'),
  cause: z
    .enum(['killed', 'hung', 'failed', 'stopped'])
    .optional()
    .describe('of a death: an event; silence; an error that it threw; for the sake of another (restart strategy)'),
  why: z
    .string()
    .optional()
    .describe('of a deadlock: who waits for what of whom, back to the first; of lock-order: who took which, likewise'),
  sinceNs: timeNs
    .optional()
    .describe('of late: since when it had done nothing; of a fence: when it was published; of a mapping: its begin'),
  tookNs: timeNs.optional().describe('from the death until it was reclaimed'),
  limitNs: timeNs.optional().describe('of a fence or a mapping: how long it might have lasted (debug)'),
  buffers: z
    .array(z.strictObject({ buffer: z.string(), generation: count.describe('of its storage when it was mapped') }))
    .optional()
    .describe('of a fence: those that it is on; of a mapping: the one that is mapped'),
  held: z.literal(true).optional().describe('of a mapping that a device holds from job to job'),
  fence: z.strictObject({ timeline: count, seqno: count }).optional(),
});

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
    bytesCopied: sizeBytes.describe('by the framework; all of them by moving buffers'),
    moves: count.describe('moves that succeeded'),
    controlCalls: count.describe('calls to the exporter; they do not grow with the number of frames'),
    controlCallsByMethod: z.record(z.string(), count),
    brokenMessages: z
      .array(brokenMessagesSchema)
      .optional()
      .describe('the devices that sent the exporter broken control messages; absent = none'),
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
export type Latency = z.infer<typeof latencySchema>;
/** Ranges of sequence numbers, both ends included. */
export type Ranges = z.infer<typeof ranges>;

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
