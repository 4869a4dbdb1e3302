/**
 * Jobs that wait for a GPU: the driver gets the oldest one that need not wait, of each file in order.
 *
 * Source: drm_sched_rq_select_entity_fifo, drm_sched_entity_pop_job, drm_sched_entity_kill, v6.12.
 */
import type { ErrnoCode } from '@dmabuf-lab/core/base';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { RenderEntity } from './render-entity.js';
import type { RenderJob } from './render-job.js';

/** What a device that is told to stop gives those who wait for others. Source: MAX_WAIT_SCHED_ENTITY_Q_EMPTY. */
const STOP_WAIT_NS = 1_000_000_000;

export class RenderQueue {
  /** Submitted and not taken, oldest first. */
  #waiting: RenderJob[] = [];
  /** Taken, and not ended when it was last looked. */
  #taken: RenderJob[] = [];
  #isStopping = false;
  #hasEnded = false;

  constructor(private readonly kernel: SimulatedKernel) {}

  /** No driver takes jobs any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** No job will come for the driver. */
  get isDrained(): boolean {
    return this.#isStopping && this.#waiting.length === 0;
  }

  /** Source: drm_sched_entity_push_job. */
  push(job: RenderJob): void {
    job.entity.add(job);
    if (this.#hasEnded) {
      job.end('ECANCELED');
      return;
    }
    this.#waiting.push(job);
    for (const fence of job.waitsFor) fence.tryAddCallback(() => this.kernel.changed());
    this.kernel.changed();
  }

  /** The next job, if one is ready. */
  take(): RenderJob | undefined {
    const blocked = new Set<RenderEntity>();
    for (const job of this.#waiting) {
      if (blocked.has(job.entity)) continue;
      if (!job.isReady()) {
        blocked.add(job.entity);
        continue;
      }
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#taken = [...this.#taken.filter(({ isEnded }) => !isEnded), job];
      job.taken();
      return job;
    }
    return undefined;
  }

  /**
   * The process that submitted has been killed: what has not begun is not done. A job still ends after what it waits for, so
   * that its fence says no more than it may.
   * Source: drm_sched_entity_kill, drm_sched_entity_kill_jobs_cb.
   */
  kill(entity: RenderEntity): void {
    for (const job of this.#takeOut((one) => one.entity === entity)) afterAll(job, () => job.end('ESRCH'));
  }

  /** Closes the input of the driver once the jobs are done; those that still wait for others by then are not. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.kernel.changed();
    if (this.#waiting.length === 0) return;
    this.kernel.at(this.kernel.now() + STOP_WAIT_NS, 'the end of a queue', () => this.#cancelWaiting('ESRCH'));
  }

  /** The device goes: jobs that wait are not done; one that runs is. Source: drm_sched_fini, v6.12. */
  giveUp(): void {
    this.#isStopping = true;
    this.#cancelWaiting('ECANCELED');
  }

  /** The driver has ended: nobody will do what is left. */
  driverEnded(): void {
    this.#hasEnded = true;
    for (const job of this.#taken) job.end('ECANCELED');
    this.#cancelWaiting('ECANCELED');
  }

  #cancelWaiting(error: ErrnoCode): void {
    for (const job of this.#takeOut(() => true)) job.end(error);
    this.kernel.changed();
  }

  #takeOut(isMeant: (job: RenderJob) => boolean): RenderJob[] {
    const out = this.#waiting.filter(isMeant);
    this.#waiting = this.#waiting.filter((job) => !isMeant(job));
    return out;
  }
}

/** Does something when all that a job waits for has signalled. */
function afterAll({ waitsFor }: RenderJob, done: () => void): void {
  let left = 1;
  const one = (): void => {
    left -= 1;
    if (left === 0) done();
  };
  for (const fence of waitsFor) if (fence.tryAddCallback(one) !== undefined) left += 1;
  one();
}
