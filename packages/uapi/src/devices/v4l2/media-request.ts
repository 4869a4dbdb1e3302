/**
 * Requests: buffers that are queued together, and one descriptor that tells when they are done.
 *
 * Source: drivers/media/mc/mc-request.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O, POLL } from '../../abi/fcntl.js';
import { MEDIA_REQUEST_IOC_QUEUE, MEDIA_REQUEST_IOC_REINIT } from '../../abi/media.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type IoctlCall, OpenFile } from '../../kernel/open-file.js';

/** Source: enum media_request_state. Idle: buffers may be added. */
export type MediaRequestState = 'idle' | 'validating' | 'queued' | 'complete' | 'cleaning';

/** Something in a request. Source: struct media_request_object_ops. */
export interface MediaRequestObject {
  /** Makes sure that queueing it cannot fail. @throws ErrnoError */
  prepareInRequest(): Task<void>;
  unprepareInRequest(): void;
  queueInRequest(): Task<void>;
  /** The request is gone for it. */
  unboundFromRequest(): void;
}

/** The device whose requests these are. Source: struct media_device_ops. */
export interface MediaDevice {
  /** Asked before the objects of a request. @throws ErrnoError */
  validateRequest?(): void;
}

export class MediaRequest {
  state: MediaRequestState = 'idle';
  readonly #objects: MediaRequestObject[] = [];
  #references = 1;
  #incomplete = 0;

  constructor(
    private readonly kernel: SimulatedKernel,
    readonly device: MediaDevice,
  ) {}

  get(): this {
    this.#references += 1;
    return this;
  }

  put(): void {
    this.#references -= 1;
    if (this.#references === 0) this.#clean();
  }

  /** Source: media_request_object_bind. @throws ErrnoError EBUSY */
  bind(object: MediaRequestObject, op: string): void {
    if (this.state !== 'idle')
      throw new ErrnoError('EBUSY', op, `Cannot add to the request: it is ${this.state}, not idle`);
    this.#objects.push(object);
    this.#incomplete += 1;
  }

  /** With its last object, a queued request is complete. Source: media_request_object_unbind. */
  unbind(object: MediaRequestObject): void {
    const at = this.#objects.indexOf(object);
    if (at >= 0) this.#objects.splice(at, 1);
    if (this.state !== 'complete') this.#incomplete -= 1;
    const completes = this.state === 'queued' && this.#incomplete === 0;
    if (completes) this.state = 'complete';
    object.unboundFromRequest();
    if (!completes) return;
    this.kernel.changed();
    this.put();
  }

  /** Source: media_request_ioctl_queue. @throws ErrnoError EBUSY, ENOENT, and what an object says */
  *queue(): Task<void> {
    const op = MEDIA_REQUEST_IOC_QUEUE.name;
    if (this.state !== 'idle') throw new ErrnoError('EBUSY', op, `Cannot queue the request: it is ${this.state}`);
    this.get();
    this.state = 'validating';
    try {
      yield* this.#validate(op);
    } catch (error) {
      this.state = 'idle';
      this.put();
      throw error;
    }
    this.state = 'queued';
    for (const object of [...this.#objects]) yield* object.queueInRequest();
  }

  /** Source: vb2_request_validate. */
  *#validate(op: string): Task<void> {
    this.device.validateRequest?.();
    if (this.#objects.length === 0) throw new ErrnoError('ENOENT', op, 'Cannot queue the request: no buffer is in it');
    const prepared: MediaRequestObject[] = [];
    for (const object of this.#objects) {
      try {
        yield* object.prepareInRequest();
      } catch (error) {
        for (const done of prepared.reverse()) done.unprepareInRequest();
        throw error;
      }
      prepared.push(object);
    }
  }

  /** Source: media_request_ioctl_reinit. @throws ErrnoError EBUSY */
  reinit(): void {
    if (this.state !== 'idle' && this.state !== 'complete') {
      const op = MEDIA_REQUEST_IOC_REINIT.name;
      throw new ErrnoError('EBUSY', op, `Cannot use the request again: it is ${this.state}`);
    }
    this.#clean();
    this.state = 'idle';
  }

  /** Source: media_request_clean. */
  #clean(): void {
    this.state = 'cleaning';
    for (const object of [...this.#objects]) this.unbind(object);
    this.#incomplete = 0;
    this.kernel.changed();
  }
}

/** The descriptor of a request. */
export class MediaRequestFile extends OpenFile {
  readonly linkTarget = 'anon_inode:request';

  constructor(readonly request: MediaRequest) {
    super(O.RDONLY);
  }

  protected override release(): void {
    this.request.put();
  }

  /** Source: media_request_poll. */
  override poll(events: number): number {
    if ((events & POLL.PRI) === 0) return 0;
    if (this.request.state === 'complete') return POLL.PRI;
    return this.request.state === 'queued' ? 0 : POLL.ERR;
  }

  override *ioctl(call: IoctlCall): Task<number> {
    if (call.command === MEDIA_REQUEST_IOC_QUEUE.number) yield* this.request.queue();
    else if (call.command === MEDIA_REQUEST_IOC_REINIT.number) this.request.reinit();
    else return yield* super.ioctl(call);
    return 0;
  }
}
