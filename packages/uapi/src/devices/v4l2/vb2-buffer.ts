/** A video buffer and its planes. Source: struct vb2_buffer, include/media/videobuf2-core.h, v6.12. */
import { type ErrnoCode, ErrnoError } from '@dmabuf-lab/core/base';
import { v4l2Timecode } from '../../abi/videodev2.js';
import type { DmaBufFile } from '../../files/dma-buf.js';
import type { MediaRequest, MediaRequestObject } from './media-request.js';
import type { PlaneMemory } from './vb2-memory.js';

/**
 * Where a buffer is. Source: enum vb2_buffer_state.
 *
 * User space has it in `dequeued`; QBUF brings it to `queued`, or with a request to `in request` and later to `queued`;
 * the driver has it in `active` and gives it back as `done` or `error`; DQBUF and STREAMOFF return it to `dequeued`.
 */
export type Vb2BufferState = 'dequeued' | 'in request' | 'preparing' | 'queued' | 'active' | 'done' | 'error';

/** A plane as it is. Source: struct vb2_plane. */
export interface Vb2Plane {
  lengthBytes: number;
  /** What the format needs. */
  readonly minLengthBytes: number;
  usedBytes: number;
  dataOffset: number;
  /** Offset for mmap, user pointer or descriptor, by the memory of the queue. */
  m: bigint;
  memory: PlaneMemory | undefined;
  dmaBuf: DmaBufFile | undefined;
  /** Another plane of the buffer has imported the same dma-buf. Source: dbuf_duplicated. */
  isDuplicate: boolean;
}

/** A plane as user space has last described it. Source: vb2_v4l2_buffer.planes. */
export interface GivenPlane {
  m: bigint;
  lengthBytes: number;
  usedBytes: number;
  dataOffset: number;
}

export class Vb2Buffer {
  state: Vb2BufferState = 'dequeued';
  /** The driver has accepted it. */
  prepared = false;
  /** Its memory is ready for the device. */
  synced = false;
  readonly planes: readonly Vb2Plane[];
  given: GivenPlane[] = [];
  flags = 0;
  field = 0;
  sequence = 0;
  timestampNs = 0n;
  timecode = v4l2Timecode.initial();
  /** -1 = none. */
  requestFd = -1;
  /** Held from QBUF with a request until the buffer is dequeued. */
  request: MediaRequest | undefined;
  /** As what it is part of a request that waits for it. Source: req_obj. */
  #bound: { readonly request: MediaRequest; readonly object: MediaRequestObject } | undefined;

  /** Called when the driver gives it back. */
  workEnds: readonly (() => void)[] = [];

  constructor(
    readonly index: number,
    sizes: readonly number[],
  ) {
    this.planes = sizes.map((size) => ({
      lengthBytes: size,
      minLengthBytes: size,
      usedBytes: 0,
      dataOffset: 0,
      m: 0n,
      memory: undefined,
      dmaBuf: undefined,
      isDuplicate: false,
    }));
  }

  /** Whether it is mapped or exported. Source: vb2_buffer_in_use. */
  get isInUse(): boolean {
    return this.planes.some(({ memory }) => memory !== undefined && memory.users > 1);
  }

  /** Source: __init_vb2_v4l2_buffer. */
  initialize(): void {
    this.requestFd = -1;
  }

  /** Dma-bufs by which others reach its planes, each once. */
  get sharedAs(): ReadonlySet<DmaBufFile> {
    return new Set(this.planes.flatMap(({ memory }) => memory?.sharedAs ?? []));
  }

  /** Back to user space. Source: __vb2_dqbuf. */
  dequeue(): void {
    if (this.state === 'dequeued') return;
    this.state = 'dequeued';
    this.initialize();
  }

  /** Makes it part of a request. @throws ErrnoError EBUSY */
  bind(request: MediaRequest, object: MediaRequestObject, op: string): void {
    request.bind(object, op);
    this.#bound = { request, object };
  }

  /** Takes it out of the request that waits for it, if there is one. Source: media_request_object_unbind. */
  unbind(): void {
    const bound = this.#bound;
    this.#bound = undefined;
    bound?.request.unbind(bound.object);
  }

  /** The request has let go of it. */
  forgetBinding(): void {
    this.#bound = undefined;
  }

  /** Lets go of the request that it was queued with. */
  dropRequest(): void {
    this.request?.put();
    this.request = undefined;
  }

  /** Gives up its memory. Source: __vb2_buf_mem_free, __vb2_buf_dmabuf_put. */
  releaseMemory(): void {
    for (const plane of this.planes) {
      if (plane.memory === undefined) continue;
      if (!plane.isDuplicate) plane.memory.put();
      plane.memory = undefined;
      if (plane.dmaBuf === undefined) continue;
      plane.dmaBuf.drop();
      Object.assign(plane, {
        dmaBuf: undefined,
        isDuplicate: false,
        usedBytes: 0,
        lengthBytes: 0,
        m: 0n,
        dataOffset: 0,
      });
    }
  }
}

/** An error of a queue. */
export function vb2Error(code: ErrnoCode, op: string, reason: string): ErrnoError {
  return new ErrnoError(code, op, `Cannot do ${op}: ${reason}`);
}
