/** The ports of the driver under test: every frame that passes is followed. */
import { ErrnoError, type Nanoseconds, type Task } from '../base/index.js';
import type { Frame, FrameFormat, InputPort, Job, Lane, OutputPort } from '../driver/index.js';
import { CheckedFrame, type FencedFrame } from './checked-frame.js';
import type { CheckedJob } from './checked-job.js';
import type { Monitor } from './monitor.js';
import { at, type Place } from './place.js';
import type { Shortages } from './shortages.js';

/** Says whether the fence that a frame came with is pending. */
export type IsPending = (frame: FencedFrame) => boolean;

/** Work on a frame that leaves, and that its next owner does not know to wait for. */
function unfenced(frame: CheckedFrame, after?: CheckedJob): CheckedJob | undefined {
  return [...frame.jobs].find((job) => !frame.carries.has(job) && !(after === job && job.publishes));
}

const begunAt = ({ place }: CheckedJob): string => (place?.text === undefined ? '' : ` begun${at(place)}`);

export class CheckedInput implements InputPort {
  constructor(
    private readonly monitor: Monitor,
    private readonly name: string,
    private readonly inner: InputPort,
    private readonly isPending: IsPending,
  ) {}

  get format(): FrameFormat {
    return this.inner.format;
  }

  get ended(): boolean {
    return this.inner.ended;
  }

  take(): Task<Frame | undefined> {
    const call = `${this.name}.take`;
    const place = this.monitor.call(call);
    this.monitor.mayWait(call, place);
    return this.monitor.waiting(call, place, this.#take(place));
  }

  *#take(place: Place | undefined): Task<Frame | undefined> {
    const frame = yield* this.inner.take();
    return frame && this.#taken(frame, 'take', place);
  }

  tryTakeReady(): Frame | undefined {
    const place = this.monitor.call(`${this.name}.tryTakeReady`);
    const frame = this.inner.tryTakeReady();
    return frame && this.#taken(frame, 'tryTakeReady', place);
  }

  #taken(frame: Frame, call: string, place: Place | undefined): CheckedFrame {
    return new CheckedFrame(
      this.monitor,
      frame,
      'taken',
      `${this.name}.${call}`,
      place,
      () => frame[Symbol.dispose](),
      () => this.isPending(frame),
    );
  }

  release(frame: Frame, after?: Job): void {
    const place = this.monitor.call(`${this.name}.release`);
    const checked = frame as CheckedFrame;
    const job = after as CheckedJob | undefined;
    this.#checkFences(checked, 'released', place, job);
    if (!checked.leave('released', place)) return;
    job?.released.add(checked);
    this.inner.release(checked.inner, job?.inner);
  }

  drop(frame: Frame): void {
    const place = this.monitor.call(`${this.name}.drop`);
    const checked = frame as CheckedFrame;
    this.#checkFences(checked, 'dropped', place);
    if (checked.leave('dropped', place)) this.inner.drop(checked.inner);
  }

  handOver(frame: Frame): void {
    const place = this.monitor.call(`${this.name}.handOver`);
    const checked = frame as CheckedFrame;
    if (checked.gone !== undefined || checked.handedOver) checked.leave('handed over', place);
    else {
      checked.handedOver = true;
      this.inner.handOver(checked.inner);
    }
  }

  #checkFences(frame: CheckedFrame, how: string, place: Place | undefined, after?: CheckedJob): void {
    const job = unfenced(frame, after);
    if (job === undefined || frame.gone !== undefined) return;
    const what = `${frame.text} is ${how} while the job${begunAt(job)} is at work on it`;
    this.monitor.findings.add('fences', `${what}: it may be written to meanwhile`, place);
  }
}

export class CheckedOutput implements OutputPort {
  #rooms: (Place | undefined)[] = [];

  constructor(
    private readonly monitor: Monitor,
    private readonly name: string,
    private readonly inner: OutputPort,
    /** No frame of this stay can have been captured before. */
    private readonly earliestNs: Nanoseconds,
    private readonly shortages: Shortages,
  ) {}

  get format(): FrameFormat {
    return this.inner.format;
  }

  acquire(lane: Lane): Task<Frame> {
    const call = `${this.name}.acquire`;
    const place = this.monitor.call(call);
    this.monitor.mayWait(call, place);
    return this.monitor.waiting(call, place, this.#acquire(lane, place));
  }

  *#acquire(lane: Lane, place: Place | undefined): Task<Frame> {
    if (this.shortages.isShort('acquire')) {
      const message = `Cannot acquire a frame of ${this.name}: no memory for its buffer (a test)`;
      this.monitor.shortage = new ErrnoError('ENOMEM', 'dma_buf_map_attachment', message);
      throw this.monitor.shortage;
    }
    return this.#acquired(yield* this.inner.acquire(lane), 'acquire', place);
  }

  acquireForTick(lane: Lane): Task<Frame | undefined> {
    const call = `${this.name}.acquireForTick`;
    const place = this.monitor.call(call);
    this.monitor.mayWait(call, place);
    return this.monitor.waiting(call, place, this.#acquireForTick(lane, place));
  }

  *#acquireForTick(lane: Lane, place: Place | undefined): Task<Frame | undefined> {
    if (this.shortages.isShort('tick')) return undefined;
    const frame = yield* this.inner.acquireForTick(lane);
    return frame && this.#acquired(frame, 'acquireForTick', place);
  }

  #acquired(frame: Frame, call: string, place: Place | undefined): CheckedFrame {
    const from = `${this.name}.${call}`;
    return new CheckedFrame(
      this.monitor,
      frame,
      'acquired',
      from,
      place,
      () => {
        this.#rooms.pop();
        frame[Symbol.dispose]();
      },
      () => false,
    );
  }

  cancel(frame: Frame): void {
    const place = this.monitor.call(`${this.name}.cancel`);
    const checked = frame as CheckedFrame;
    this.#rooms.pop();
    if (checked.leave('cancelled', place)) this.inner.cancel(checked.inner);
  }

  push(frame: Frame): Task<void> {
    const call = `${this.name}.push`;
    const place = this.monitor.call(call);
    const checked = frame as CheckedFrame;
    const hadRoom = this.#rooms.length > 0;
    this.#rooms.pop();
    this.#checkContent(checked, place);
    if (!checked.leave('pushed', place)) return nothing();
    return this.monitor.waiting(call, place, this.#push(checked, hadRoom, place));
  }

  *#push(frame: CheckedFrame, hadRoom: boolean, place: Place | undefined): Task<void> {
    const push = this.inner.push(frame.inner);
    let step = push.next();
    if (step.done !== true && !hadRoom) this.monitor.mayWait(`${this.name}.push`, place);
    while (step.done !== true) step = push.next(yield step.value);
  }

  room(): Task<void> {
    const call = `${this.name}.room`;
    const place = this.monitor.call(call);
    this.monitor.mayWait(call, place);
    this.#rooms.push(place);
    return this.monitor.waiting(call, place, this.inner.room());
  }

  /** The driver has ended. */
  endStay(thrown: boolean): void {
    const [place] = this.#rooms;
    if (this.#rooms.length > 0 && !thrown) {
      this.monitor.findings.add('frames', `room kept at ${this.name} is never used: neither push nor cancel`, place);
    }
    this.#rooms = [];
  }

  #checkContent(frame: CheckedFrame, place: Place | undefined): void {
    if (frame.gone !== undefined) return;
    const { findings, options } = this.monitor;
    const { capturedNs } = frame.inner;
    if (capturedNs < this.earliestNs) {
      const what = `${frame.text} is described as captured at ${capturedNs} ns, and the device began at ${this.earliestNs} ns`;
      findings.add('first-tick', what, place);
    }
    const job = unfenced(frame);
    if (job !== undefined) {
      const what = `${frame.text} is pushed while the job${begunAt(job)} is at work on it, without its fence`;
      findings.add('fences', `${what}: consumers may see it half done`, place);
    }
    const isDone = frame.jobs.size === 0 && !frame.sealed && frame.inner.error === 0;
    if (isDone && !frame.failed && options.payload !== 'timing') {
      findings.add('seal', `${frame.text} is pushed without ctx.seal since it was last written to`, place);
    }
    if (frame.origin === 'taken' && !frame.handedOver) {
      findings.add('frames', `${frame.text} is pushed and was not handed over by its input`, place);
    }
  }
}

function* nothing(): Task<void> {}
