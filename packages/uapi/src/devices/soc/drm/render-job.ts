/**
 * A job of a GPU behind a node: two pictures, what it waits for, and the fence that was published for it.
 *
 * Source: struct drm_sched_job, drivers/gpu/drm/scheduler/sched_main.c, v6.12.
 */
import { assert, type ErrnoCode, type Nanoseconds } from '@dmabuf-lab/core/base';
import type { DriverContext, FrameFormat } from '@dmabuf-lab/core/driver';
import type { Fence, SignallingPath } from '@dmabuf-lab/core/sync';
import type { Page } from '../../../kernel/pages.js';
import type { FrameContents } from '../frame-contents.js';
import { NodeFrame, type SubmittedWork } from '../node-frame.js';
import type { RenderEntity } from './render-entity.js';
import { pagesOfSurface, type Surface } from './surface.js';

export interface RenderJobInit {
  readonly entity: RenderEntity;
  readonly fence: Fence;
  /** The line of execution that will signal the fence. */
  readonly path: SignallingPath;
  readonly contents: FrameContents;
  /** Puts a span on the track of the device. */
  readonly trace: DriverContext['trace'];
  readonly submittedNs: Nanoseconds;
  readonly source: Surface;
  readonly target: Surface | undefined;
  /** Fences of those who write what it reads; if one fails, the job's content is bad. */
  readonly writers: readonly Fence[];
  /** Fences of those who still use what it writes. */
  readonly users: readonly Fence[];
}

export class RenderJob implements SubmittedWork {
  readonly #waitsFor: readonly Fence[];
  /** As they were mapped when it was submitted: storage that is to move waits for the job's fence. */
  readonly #sourcePages: readonly Page[];
  readonly #targetPages: readonly Page[];
  #isEnded = false;
  #takenNs: Nanoseconds | undefined;
  #error: ErrnoCode | undefined;

  /** Takes over the references to the objects, which are mapped for the device. */
  constructor(private readonly init: RenderJobInit) {
    this.#waitsFor = [...init.writers, ...init.users];
    this.#sourcePages = pagesOfSurface(init.source);
    this.#targetPages = init.target === undefined ? [] : pagesOfSurface(init.target);
  }

  get entity(): RenderEntity {
    return this.init.entity;
  }

  get fence(): Fence {
    return this.init.fence;
  }

  get waitsFor(): readonly Fence[] {
    return this.#waitsFor;
  }

  /** Only of those whose errors count; by the time the driver begins the job, all have signalled. */
  get dependencies(): readonly Fence[] {
    return this.init.writers;
  }

  get formats(): { readonly sourceFormat: FrameFormat; readonly targetFormat: FrameFormat } {
    const { source, target = source } = this.init;
    return { sourceFormat: source.format, targetFormat: target.format };
  }

  get hasTarget(): boolean {
    return this.init.target !== undefined;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether the driver may have it. Source: drm_sched_entity_pop_job. */
  isReady(): boolean {
    return this.#waitsFor.every((fence) => fence.isSignalled());
  }

  /** How long it waited for fences, once it is ready. */
  get waitedNs(): Nanoseconds {
    const { submittedNs } = this.init;
    return Math.max(0, ...this.#waitsFor.map(({ timestampNs = 0 }) => timestampNs - submittedNs));
  }

  /** The driver has got a part of it. */
  taken(): void {
    const { trace, submittedNs, fence } = this.init;
    this.#takenNs = fence.clock.now();
    if (this.waitedNs > 0) trace('wait: fence', submittedNs, this.waitedNs, { job: fence.seqno });
  }

  /** What it reads, or draws into; with what lies there now. A picture that no device has drawn has the job's number. */
  sourceFrame(): NodeFrame {
    const frame = this.#frame(this.init.source, this.#sourcePages);
    if (frame.content === undefined) frame.describe(this.fence.seqno, this.init.submittedNs);
    frame.error = -this.#writersError();
    return frame;
  }

  /** What it writes. */
  targetFrame(): NodeFrame {
    assert(this.init.target !== undefined, 'a job without a target is not asked for it');
    return this.#frame(this.init.target, this.#targetPages);
  }

  #frame({ object, format, offsetBytes }: Surface, pages: readonly Page[]): NodeFrame {
    const { contents } = this.init;
    return new NodeFrame({ format, pages, contents, work: this, shared: { files: object.sharedAs, offsetBytes } });
  }

  /** The negative errno that what it reads was written with, or 0. */
  #writersError(): number {
    return Math.min(0, ...this.init.writers.map(({ status }) => status));
  }

  /** The device is done with it. What was bad and drawn into stays bad. Its fence signals after those of all earlier jobs of the file. */
  end(error?: ErrnoCode): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const isStillBad = this.init.source.write && this.#writersError() !== 0;
    this.#error = error ?? (isStillBad ? 'EIO' : undefined);
    this.#trace();
    this.entity.retire();
  }

  #trace(): void {
    if (this.#takenNs === undefined) return;
    const { trace, fence } = this.init;
    const name = this.#error === undefined ? 'job' : `job: ${this.#error}`;
    trace(name, this.#takenNs, fence.clock.now() - this.#takenNs, { job: fence.seqno });
  }

  /** Signals, and lets go of its objects. Source: drm_sched_fence_finished, drm_sched_free_job_work. */
  signal(): void {
    const { fence, path, source, target, submittedNs, trace } = this.init;
    if (this.#error !== undefined) fence.setError(this.#error);
    fence.signal();
    trace('fence', submittedNs, fence.clock.now() - submittedNs, { context: fence.context, seqno: fence.seqno });
    path.mightLock('the reservations of imported buffers', 'free_job');
    source.object.drop();
    target?.object.drop();
  }
}
