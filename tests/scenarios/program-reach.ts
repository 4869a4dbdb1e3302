/** A program: which memory the devices of a scenario take, and give. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  allocateFromHeap,
  createConstrained,
  createDumbBuffer,
  openCenalloc,
  openDisplay,
  openDrm,
  openHeap,
  openVideo,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  queueVideoBuffer,
  requestBuffers,
} from '@dmabuf-lab/uapi';

const RGBA_BYTES = 640 * 480 * 4;
const NV12_BYTES = 460_800;

/** The errno of each step, or `ok`. */
export type ReachResult = Readonly<Record<string, string>>;

function* answer(call: Task<unknown>): Task<string> {
  try {
    yield* call;
    return 'ok';
  } catch (error) {
    if (error instanceof ErrnoError) return error.code;
    throw error;
  }
}

export function* main(process: Process): Task<ReachResult> {
  const results: Record<string, string> = {};
  const projector = yield* openDisplay(process, '/dev/by-name/projector');
  const panel = yield* openDisplay(process, '/dev/by-name/panel');
  const gpu = openDrm(process, '/dev/by-name/gpu');
  const scattered = yield* allocateFromHeap(process, openHeap(process, 'system'), RGBA_BYTES);
  const reserved = yield* allocateFromHeap(process, openHeap(process, 'reserved'), RGBA_BYTES);
  const cenalloc = yield* createConstrained(process, openCenalloc(process), RGBA_BYTES);
  results.scattered = yield* answer(primeFdToHandle(process, projector.fd, scattered));
  results.again = yield* answer(primeFdToHandle(process, projector.fd, scattered));
  results.reserved = yield* answer(primeFdToHandle(process, projector.fd, reserved));
  results.cenalloc = yield* answer(primeFdToHandle(process, projector.fd, cenalloc));
  results.panel = yield* answer(primeFdToHandle(process, panel.fd, scattered));
  results.gpu = yield* answer(primeFdToHandle(process, gpu, scattered));

  // What the projector makes itself is in one piece, and so of use to the encoder; the panel's is not.
  const { output } = yield* openVideo(process, '/dev/by-name/encoder');
  if (output === undefined) return results;
  yield* requestBuffers(process, output, 'dmabuf', 1);
  for (const [name, { fd }] of Object.entries({ ofProjector: projector, ofPanel: panel })) {
    const { handle } = yield* createDumbBuffer(process, fd, 640, 480);
    const dmaBufs = [yield* primeHandleToFd(process, fd, handle)];
    const queued = { index: 0, memory: 'dmabuf', dmaBufs, usedBytes: [NV12_BYTES] } as const;
    results[name] = yield* answer(queueVideoBuffer(process, output, queued));
    if (results[name] === 'ok') yield* requestBuffers(process, output, 'dmabuf', 1);
  }
  return results;
}

/** As the camera and the screens, with limits on addresses and segments that the memory of the machine is beyond. */
export function* limited(process: Process): Task<ReachResult> {
  const results: Record<string, string> = {};
  const heap = openHeap(process, 'reserved'); // at 1 GiB
  const { capture } = yield* openVideo(process, '/dev/by-name/camera');
  if (capture === undefined) return results;
  yield* requestBuffers(process, capture, 'dmabuf', 1);
  const dmaBufs = [yield* allocateFromHeap(process, heap, NV12_BYTES)];
  results.camera = yield* answer(queueVideoBuffer(process, capture, { index: 0, memory: 'dmabuf', dmaBufs }));
  const projector = yield* openDisplay(process, '/dev/by-name/projector');
  results.projector = yield* answer(primeFdToHandle(process, projector.fd, dmaBufs[0]));
  const panel = yield* openDisplay(process, '/dev/by-name/panel');
  results.inOneSegment = yield* answer(primeFdToHandle(process, panel.fd, dmaBufs[0]));
  const scattered = yield* allocateFromHeap(process, openHeap(process, 'system'), RGBA_BYTES);
  results.inManySegments = yield* answer(primeFdToHandle(process, panel.fd, scattered));
  return results;
}
