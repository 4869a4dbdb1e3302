/** A frame as the driver under test sees it: knows whether the driver still has it. */
import type { Nanoseconds } from '../base/index.js';
import type { CodedFrame, Frame, FrameFormat, Job } from '../driver/index.js';
import type { DmaFence } from '../sync/index.js';
import type { CheckedJob } from './checked-job.js';
import type { Monitor, Strand } from './monitor.js';
import { at, type Place } from './place.js';

/** How a frame came. */
export type FrameOrigin = 'taken' | 'acquired';

/** A frame of a pipeline, with what tells whether its content is there. */
export interface FencedFrame extends Frame {
  readonly acquireFence?: DmaFence;
}

export class CheckedFrame implements Frame {
  readonly #number: number;
  readonly #atFirst: number;
  /** Where it went; undefined while the driver has it. */
  gone: { readonly how: string; readonly place: Place | undefined } | undefined;
  /** It has left its input and is to be pushed. */
  handedOver = false;
  /** Jobs at work on it. */
  readonly jobs = new Set<CheckedJob>();
  /** Jobs whose fence it carries. */
  readonly carries = new Set<CheckedJob>();
  /** A job has been begun on it: its fences have been waited for. */
  begun = false;
  /** Its content is what `seal` has marked. */
  sealed: boolean;
  /** The job that wrote it has ended with an error. */
  failed = false;
  /** The generator that has it. */
  readonly strand: Strand | undefined;

  constructor(
    private readonly monitor: Monitor,
    readonly inner: FencedFrame,
    readonly origin: FrameOrigin,
    /** `in.take`, `out.acquire`. */
    private readonly from: string,
    private readonly place: Place | undefined,
    /** Gives it back unused. */
    private readonly giveBack: () => void,
    /** Whether the fence that it came with is pending. */
    private readonly isPending: () => boolean,
  ) {
    this.#number = inner.bufferNumber;
    this.#atFirst = inner.sequence;
    this.sealed = origin === 'taken';
    this.strand = monitor.current;
    monitor.frames.add(this);
  }

  get format(): FrameFormat {
    return this.inner.format;
  }

  get bufferNumber(): number {
    return this.#number;
  }

  get sequence(): number {
    this.#look('sequence');
    return this.inner.sequence;
  }

  get capturedNs(): Nanoseconds {
    this.#look('capturedNs');
    return this.inner.capturedNs;
  }

  get checksum(): number {
    this.#look('checksum');
    this.#content('checksum');
    return this.inner.checksum;
  }

  set checksum(value: number) {
    this.#look('checksum');
    this.inner.checksum = value;
  }

  get error(): number {
    this.#look('error');
    this.#content('error');
    return this.inner.error;
  }

  set error(errno: number) {
    this.#look('error');
    this.inner.error = errno;
  }

  get coded(): CodedFrame | undefined {
    return this.inner.coded;
  }

  set coded(value: CodedFrame | undefined) {
    this.#look('coded');
    this.inner.coded = value;
  }

  describe(sequence: number, capturedNs: Nanoseconds): void {
    this.#look('describe');
    this.inner.describe(sequence, capturedNs);
  }

  readyAfter(job: Job): void {
    this.#look('readyAfter');
    const checked = job as CheckedJob;
    if (checked.publishes) this.carries.add(checked);
    this.inner.readyAfter(checked.inner);
  }

  [Symbol.dispose](): void {
    if (this.gone !== undefined) return;
    this.leave('given back by `using`', undefined);
    this.giveBack();
  }

  /** What messages call it. */
  get text(): string {
    return `frame ${this.#atFirst} (${this.from}${at(this.place)})`;
  }

  /** It leaves the driver. @returns false, found, when the driver does not have it */
  leave(how: string, place: Place | undefined): boolean {
    if (this.gone !== undefined) {
      const before = `${this.gone.how}${at(this.gone.place)}`;
      this.monitor.findings.add('frames', `${this.text} is ${how} after it was ${before}`, place);
      return false;
    }
    this.gone = { how, place };
    this.monitor.frames.delete(this);
    return true;
  }

  /** The driver has ended and still has it. */
  abandon(thrown: boolean): void {
    if (!thrown) this.monitor.findings.add('frames', `${this.text} is never given back`, this.place);
    this.gone = { how: 'kept', place: undefined };
    this.giveBack();
  }

  /** A use of it after it has gone is a breach, unless a job is still at work on it. */
  #look(what: string): void {
    if (this.gone === undefined || this.jobs.size > 0) return;
    const place = this.monitor.call(`frame.${what}`);
    const before = `${this.gone.how}${at(this.gone.place)}`;
    this.monitor.findings.add('frames', `${what} of ${this.text} is used after it was ${before}`, place);
  }

  #content(what: string): void {
    if (this.begun || this.origin === 'acquired' || !this.isPending()) return;
    const place = this.monitor.call(`frame.${what}`);
    this.monitor.findings.add('pending-read', `${what} of ${this.text} is read while its fence is pending`, place);
  }
}
