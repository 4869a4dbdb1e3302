import { type ActorServices, isErrno, type Task } from '../base/index.js';
import { EXPORTER } from './protocol.js';

/**
 * Has the exporter let go of something. Where the exporter died under the call and it was made again, that it is gone already
 * is what was wanted: the life before had served it.
 */
export function* callOnce(services: ActorServices, method: 'detach' | 'destroy', request: unknown): Task<void> {
  try {
    yield* services.call(EXPORTER, method, request);
  } catch (error) {
    if (!isErrno(error, 'ESTALE') || error.details.repeated !== true) throw error;
  }
}
