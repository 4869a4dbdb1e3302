/** The part of a queue in media requests: its buffers are put into one, which queues them later. */
import type { Task } from '@dmabuf-lab/core/base';
import type { Process } from '../../kernel/process.js';
import type { MediaRequest, MediaRequestObject } from './media-request.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import type { Vb2Queue } from './vb2-queue.js';

/** Puts a buffer into a request. Source: vb2_core_qbuf with a request, v6.12. @throws ErrnoError EIO, EBUSY, EINVAL */
export function queueInRequest(queue: Vb2Queue, buffer: Vb2Buffer, request: MediaRequest, process: Process): void {
  const op = 'VIDIOC_QBUF';
  if (queue.error) throw vb2Error('EIO', op, 'a fatal error has occurred on the queue');
  if (queue.usesQbuf) throw vb2Error('EBUSY', op, 'the queue is used without requests');
  queue.usesRequests = true;
  if (buffer.state !== 'dequeued') throw vb2Error('EINVAL', op, `buffer ${buffer.index} is ${buffer.state}`);
  if (!buffer.prepared) queue.validate(buffer);
  buffer.bind(request, requestObject(queue, buffer, process), op);
  buffer.state = 'in request';
  buffer.request = request.get();
}

/** Source: vb2_core_req_ops, v6.12. */
function requestObject(queue: Vb2Queue, buffer: Vb2Buffer, process: Process): MediaRequestObject {
  return {
    prepareInRequest: () => queue.prepare(buffer, process),
    unprepareInRequest: () => {
      buffer.dequeue();
      buffer.state = 'in request';
    },
    queueInRequest: () => queueFromRequest(queue, buffer, process),
    unboundFromRequest: () => {
      buffer.forgetBinding();
      if (buffer.state !== 'in request') return;
      buffer.dequeue();
      buffer.dropRequest();
    },
  };
}

function* queueFromRequest(queue: Vb2Queue, buffer: Vb2Buffer, process: Process): Task<void> {
  if (!queue.error) yield* queue.qbuf(buffer, process);
}
