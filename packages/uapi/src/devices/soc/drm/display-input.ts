/**
 * The input of a display's driver behind a node: pictures that user space has changed the screen to.
 *
 * A picture is ready once the fences of its commit have signalled, and can be taken at vblanks from then on. The beats of the
 * driver go on only while somebody needs them (`display-context.ts`), so that those before a picture was ready are caught up
 * with when it is there already: they do not see it.
 */
import { ErrnoError, type Nanoseconds, type Rate, type Task } from '@dmabuf-lab/core/base';
import type { DeviceStatistics, FrameFormat, InputPort } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { NodeFrame } from '../node-frame.js';

/** A picture on its way to the screen. */
export interface Presentation {
  readonly frame: NodeFrame;
  readonly requestedNs: Nanoseconds;
  readonly readyNs: Nanoseconds;
  /** It is on the screen, or will never be. */
  isOver: boolean;
}

export interface DisplayInputParts {
  readonly kernel: SimulatedKernel;
  readonly statistics: DeviceStatistics;
  readonly refresh: Rate;
}

/** So that no vblank is late: user space owes the screen nothing. */
const NEVER: Rate = { num: 1, den: 2 ** 31 };
const ENDED = Symbol('ended');

export class DisplayInput implements InputPort {
  readonly #queue: Presentation[] = [];
  /** Taken, and still the driver's. */
  readonly #held = new Map<NodeFrame, Presentation>();
  #endedNs: Nanoseconds | undefined;
  /** Time of the last vblank of the driver; undefined before the first, and for a driver that has none. */
  #vblankNs: Nanoseconds | undefined;
  #vblankWaiters = 0;

  constructor(
    private readonly parts: DisplayInputParts,
    private readonly mode: FrameFormat,
  ) {}

  /** Of the mode. Its rate is what is owed: a picture a vblank while one has been asked for and is not ready. */
  get format(): FrameFormat {
    const isOwed = this.#queue.some(({ requestedNs }) => this.#isPast(requestedNs));
    return { ...this.mode, rate: isOwed ? this.parts.refresh : NEVER };
  }

  get ended(): boolean {
    return this.#endedNs !== undefined && this.#queue.length === 0 && this.#isPast(this.#endedNs);
  }

  tryTakeReady(): NodeFrame | undefined {
    const [next] = this.#queue;
    return next !== undefined && this.#isPast(next.readyNs) ? this.#take() : undefined;
  }

  *take(): Task<NodeFrame | undefined> {
    const isEnded = (): boolean => this.#endedNs !== undefined;
    const look = (): NodeFrame | typeof ENDED | undefined => this.#take() ?? (isEnded() ? ENDED : undefined);
    const found = yield* this.parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'a picture to show');
    return found === ENDED ? undefined : found;
  }

  release(frame: NodeFrame): void {
    frame.surrender();
    const known = this.#held.get(frame);
    if (known === undefined) {
      throw new ErrnoError('EINVAL', 'release', `Cannot release frame ${frame.sequence}: it is not held`);
    }
    this.#held.delete(frame);
    this.#over(known);
  }

  drop(frame: NodeFrame): void {
    this.parts.statistics.dropped.add(frame.sequence);
    this.release(frame);
  }

  /** There is no output that it could leave by. */
  handOver(frame: NodeFrame): void {
    this.release(frame);
  }

  // ---- for the node ----

  push(presentation: Presentation): void {
    this.#queue.push(presentation);
    this.parts.kernel.changed();
  }

  end(): void {
    this.#endedNs ??= this.parts.kernel.now();
    this.parts.kernel.changed();
  }

  /** The driver is gone: nothing will be shown. */
  abandon(): void {
    for (const one of [...this.#queue.splice(0), ...this.#held.values()]) this.#over(one);
  }

  /** The driver scans a frame out from now on. */
  begun(frame: NodeFrame): void {
    const known = this.#held.get(frame);
    if (known !== undefined) this.#over(known);
  }

  /** Somebody needs the beats of the driver to go on. */
  get needsVblank(): boolean {
    if (this.#queue.length > 0 || this.#endedNs !== undefined || this.#vblankWaiters > 0) return true;
    return [...this.#held.values()].some(({ isOver }) => !isOver);
  }

  /** The driver has got to a vblank. */
  vblank(timeNs: Nanoseconds): void {
    this.#vblankNs = timeNs;
    if (this.#vblankWaiters > 0) this.parts.kernel.changed();
  }

  /** Waits for the next vblank, or until a look says that there is none. Source: drm_crtc_wait_one_vblank. */
  *nextVblank(isGone: () => boolean): Task<void> {
    const { kernel } = this.parts;
    const sinceNs = kernel.now();
    const look = (): true | undefined => ((this.#vblankNs ?? -1) > sinceNs || isGone() ? true : undefined);
    this.#vblankWaiters += 1;
    kernel.changed();
    yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'a vblank');
    this.#vblankWaiters -= 1;
  }

  /** Whether something had happened by the vblank that the driver is at. */
  #isPast(timeNs: Nanoseconds): boolean {
    return this.#vblankNs === undefined || timeNs <= this.#vblankNs;
  }

  #take(): NodeFrame | undefined {
    const next = this.#queue.shift();
    if (next === undefined) return undefined;
    this.#held.set(next.frame, next);
    next.frame.lend(() => this.drop(next.frame));
    this.parts.statistics.tookFrame();
    return next.frame;
  }

  #over(presentation: Presentation): void {
    presentation.isOver = true;
    this.parts.kernel.changed();
  }
}
