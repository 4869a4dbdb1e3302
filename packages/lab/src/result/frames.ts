/** What became of frames: at each device, on each link, and from end to end. */
import { z } from 'zod';
import { latencyFields, latencySchema } from './latency.js';
import { count, ranges, timeNs } from './quantities.js';

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

export const deviceSchema = z.strictObject({
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

export const linkSchema = z.strictObject({
  from: z.string().describe('device.port'),
  to: z.string().describe('device.port'),
  policy: z.string(),
  depth: count,
  delivered: count,
  dropped: count,
  droppedSequences: ranges,
  latency: latencySchema,
});

export const endToEndSchema = z.strictObject({
  from: z.string().describe('the device where the frames come from'),
  to: z.string().describe('the device where they end'),
  what: z.string().describe('what ends the measurement: display, bitstream, or a name of the driver'),
  ...latencyFields,
});
