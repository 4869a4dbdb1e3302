/** A job as the driver under test sees it. */
import { ErrnoError, type Nanoseconds } from '../base/index.js';
import type { Frame, Job } from '../driver/index.js';
import type { CheckedFrame } from './checked-frame.js';
import type { Monitor, Strand } from './monitor.js';
import { PageCopies } from './page-views.js';
import { at, Place } from './place.js';

interface CheckedAccess {
  readonly frame: CheckedFrame;
  readonly write: boolean;
}

export class CheckedJob implements Job {
  /** Frames that have left their input with its fence. */
  readonly released = new Set<CheckedFrame>();
  readonly #pages = new Map<CheckedFrame, PageCopies>();
  #endedAt: Place | undefined;
  #ended = false;

  constructor(
    private readonly monitor: Monitor,
    readonly inner: Job,
    readonly accesses: readonly CheckedAccess[],
    readonly publishes: boolean,
    readonly place: Place | undefined,
    readonly strand: Strand | undefined,
    private readonly now: () => Nanoseconds,
  ) {
    monitor.jobs.add(this);
    if (publishes) strand?.owed.add(this);
    for (const { frame } of accesses) {
      frame.begun = true;
      frame.jobs.add(this);
    }
  }

  get startNs(): Nanoseconds {
    return this.inner.startNs;
  }

  get stalledNs(): Nanoseconds {
    return this.inner.stalledNs;
  }

  get transfer(): Job['transfer'] {
    return this.inner.transfer;
  }

  segments(frame: Frame): readonly Uint8Array[] {
    const place = this.monitor.call('job.segments');
    const checked = frame as CheckedFrame;
    if (this.#ended) {
      const what = `segments of ${checked.text} are asked for after the job ended${at(this.#endedAt)}`;
      this.monitor.findings.add('memory', what, place);
      throw new ErrnoError('EFAULT', 'segments', 'Cannot touch the pages of a job that has ended');
    }
    if (!this.accesses.some((access) => access.frame === checked)) {
      this.monitor.findings.add('memory', `segments of ${checked.text}, which is no frame of this job`, place);
      throw new ErrnoError('EFAULT', 'segments', 'Cannot touch the pages of a frame that is not in the job');
    }
    let copies = this.#pages.get(checked);
    if (copies === undefined) {
      copies = new PageCopies(
        this.inner.segments(checked.inner),
        this.monitor.options.views,
        this.monitor.options.poison,
        (what) => this.#touched(checked, what),
        place,
      );
      this.#pages.set(checked, copies);
    }
    return copies.views;
  }

  /** What the driver has written so far, for the framework to see. */
  publish(frame: CheckedFrame): void {
    if (this.#writes(frame)) this.#pages.get(frame)?.publish();
  }

  /** The framework has written into the pages. */
  refresh(frame: CheckedFrame): void {
    this.#pages.get(frame)?.refresh();
  }

  /** The content is complete. */
  sealed(frame: CheckedFrame, place: Place | undefined): void {
    const { findings } = this.monitor;
    if (this.#ended) findings.add('seal', `${frame.text} is sealed after its job has ended`, place);
    else if (!this.#writes(frame)) findings.add('seal', `${frame.text} is sealed in a job that only reads it`, place);
    else frame.sealed = true;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  end(error?: 'EIO' | 'ECANCELED'): void {
    this.#finish(this.monitor.call('job.end'), error);
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    const hasLeft = this.accesses.some(({ frame, write }) => {
      const how = frame.gone?.how;
      return how === 'pushed'
        ? write && frame.inner.error === 0
        : (how === 'released' || how === 'dropped') && !this.released.has(frame);
    });
    this.#finish(Place.ofDriver(), 'ECANCELED');
    if (hasLeft) this.monitor.neverEnded.push(this);
  }

  /** It was left to `using`, and its frames have left before. */
  tellNeverEnded(): void {
    const what = `the job begun${at(this.place)} was never ended: its content counts as cancelled`;
    this.monitor.findings.add('jobs', what, this.place, {
      remedy: 'call job.end()',
      explains: ['fences', 'no-wait', 'errors'],
    });
  }

  /** The driver has ended, or thrown, without ending it. */
  abandon(thrown: boolean): void {
    if (!this.#ended && !thrown) {
      const frames = this.accesses.map(({ frame }) => frame.text).join(', ');
      this.monitor.findings.add('jobs', `the job on ${frames} is never ended`, this.place);
    }
    if (!this.#ended) this.#finish(undefined, 'ECANCELED');
    for (const copies of this.#pages.values()) copies.inspect();
  }

  #finish(place: Place | undefined, error: 'EIO' | 'ECANCELED' | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endedAt = place;
    this.strand?.owed.delete(this);
    const ns = this.now() - this.inner.startNs;
    if (ns > this.monitor.longest.ns) this.monitor.longest = { ns, place: this.place };
    for (const access of this.accesses) this.#settle(access, error !== undefined, place);
    this.inner.end(error);
    for (const copies of this.#pages.values()) copies.retire();
    for (const { frame } of this.accesses) frame.jobs.delete(this);
    // Pages that nobody looks at any more need not be remembered.
    if (this.monitor.options.views !== 'quarantined') this.monitor.jobs.delete(this);
  }

  #settle({ frame, write }: CheckedAccess, failed: boolean, place: Place | undefined): void {
    const copies = this.#pages.get(frame);
    const { findings } = this.monitor;
    const differs = copies?.differs === true;
    if (differs && !write) {
      findings.add('read-only', `${frame.text} is written to in a job that was begun to read it`, copies.place);
    } else if (differs) {
      if (frame.sealed && this.#heedsSeals && !failed) {
        findings.add('seal', `${frame.text} is written to after it was sealed`, copies.place);
      }
      frame.sealed = false;
      copies.publish();
    }
    const { gone } = frame;
    if (write) frame.failed = failed;
    if (!write || failed || frame.sealed || !this.#heedsSeals || gone?.how !== 'pushed' || frame.inner.error !== 0)
      return;
    findings.add('seal', `${frame.text} was pushed, and its job ends without ctx.seal`, place ?? gone.place);
  }

  get #heedsSeals(): boolean {
    return this.monitor.options.payload !== 'timing';
  }

  #writes(frame: CheckedFrame): boolean {
    return this.accesses.some((access) => access.frame === frame && access.write);
  }

  #touched(frame: CheckedFrame, what: 'read' | 'written'): void {
    const now = Place.ofDriver();
    const place = now.text === undefined ? this.#pages.get(frame)?.place : now;
    const sentence = `the pages of ${frame.text} are ${what} after the job ended${at(this.#endedAt)}`;
    this.monitor.findings.add('memory', sentence, place);
  }
}
