/** Deaths, restarts and silences of devices; deadlocks; what lasted too long. */
import { z } from 'zod';
import { count, timeNs } from './quantities.js';

export const incidentSchema = z.strictObject({
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
    .enum(['killed', 'hung', 'failed', 'stopped', 'overdue'])
    .optional()
    .describe(
      'of a death: an event; silence; an error that it threw; for the sake of another (restart strategy); it had not ended long after the duration (shutdown)',
    ),
  why: z
    .string()
    .optional()
    .describe(
      'of a deadlock: who waits for what of whom, back to the first; of lock-order: who took which, likewise; of a death: ' +
        'the error, or what it waited for',
    ),
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
