/** What a result is counted and measured in. */
import { z } from 'zod';

export const count = z.int().min(0);
/** Of model time; a moment is counted from the begin of the run. */
export const timeNs = z.int().min(0);
export const sizeBytes = z.int().min(0);
/** Ranges of sequence numbers, both ends included: [[3, 3], [7, 9]] is 3, 7, 8 and 9. */
export const ranges = z.array(z.tuple([count, count])).describe('ranges of sequence numbers, first and last included');
/** Ranges of sequence numbers, both ends included. */
export type Ranges = z.infer<typeof ranges>;
