/** Whose job a device does next: each open file of a mem2mem node that has one, in turn. Source: v4l2_m2m_dev.job_queue, v6.12. */
import type { SimulatedKernel } from '../../../kernel/kernel.js';

export class JobTurns {
  /** The first has the device. */
  readonly #waiting: object[] = [];

  constructor(private readonly kernel: SimulatedKernel) {}

  /** Has a job to be done. Source: v4l2_m2m_try_schedule. */
  wants(context: object): void {
    if (!this.#waiting.includes(context)) this.#waiting.push(context);
    this.kernel.changed();
  }

  has(context: object): boolean {
    return this.#waiting[0] === context;
  }

  /** Its job is done, or it has none any more. Source: v4l2_m2m_job_finish, v4l2_m2m_cancel_job. */
  leave(context: object): void {
    const at = this.#waiting.indexOf(context);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.kernel.changed();
  }
}
