/** What happened to a buffer, as a result tells it. */
import { z } from 'zod';
import { count, timeNs } from './quantities.js';

/** Oldest first. */
export const bufferHistorySchema = z.array(
  z.strictObject({
    timeNs,
    actor: z.string(),
    lane: count,
    life: count,
    event: z.string(),
  }),
);

/** Of what something else than the histories has found. */
export const HISTORY_OF_BUFFER =
  'what its buffer went through before, as far as it is kept; absent = nobody followed it (debug.history)';
