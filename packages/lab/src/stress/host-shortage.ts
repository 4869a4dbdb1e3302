/** A host that has no memory or no threads left for a trial: that says nothing about its drivers. */
import { isErrno } from '@dmabuf-lab/core/base';

/** Whether a run could not start its threads: then there is no result, and no violation. */
export const isHostShortage = (error: unknown): boolean => isErrno(error, 'ENOMEM', 'EAGAIN') && error.op === 'clone';
