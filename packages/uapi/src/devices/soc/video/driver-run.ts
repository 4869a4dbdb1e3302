/**
 * One run of a driver, from STREAMON to STREAMOFF.
 *
 * STREAMOFF and close(2) take all buffers away at once, whatever the driver is doing. A run that has been cancelled is told so
 * where it waits next: ECANCELED is thrown there, so that it unwinds and touches no buffer again. What it still waits for
 * ends in its own time, beside a later run.
 */
import { ErrnoError, InvariantError, isErrno, type Task } from '@dmabuf-lab/core/base';
import type { Driver, InputPort, OutputPort } from '@dmabuf-lab/core/driver';
import { NodeContext, type NodeContextParts } from '../node-context.js';

export interface DriverRunOptions {
  readonly parts: NodeContextParts;
  readonly driver: Driver;
  readonly parameters: unknown;
  readonly ports: Readonly<Record<string, InputPort | OutputPort>>;
  /** The driver has returned by itself. */
  ended(): void;
  /** The driver has thrown; not when it was cancelled before. */
  failed(error: Error): void;
}

export class DriverRun {
  #isCancelled = false;
  readonly #context: RunContext;

  constructor(private readonly options: DriverRunOptions) {
    const { parts, parameters, ports } = options;
    this.#context = new RunContext(parts, parameters, ports as never, (task) => this.#guarded(task));
  }

  start(): void {
    this.options.parts.services.spawn('stream', this.#guarded(this.#drive()));
  }

  /** Never waits; nothing happens when it has ended. */
  cancel(): void {
    this.#isCancelled = true;
    this.#context.stop();
  }

  *#drive(): Task<void> {
    const { driver } = this.options;
    const context = this.#context as never;
    const state = driver.setup === undefined ? undefined : yield* driver.setup(context);
    yield* driver.run(context, state);
    if (!this.#isCancelled) this.options.ended();
  }

  /** Never throws but for an error in this program. */
  *#guarded(task: Task<void>): Task<void> {
    try {
      yield* this.#steps(task);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      if (this.#isCancelled) return;
      this.options.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  *#steps(task: Task<void>): Task<void> {
    if (this.#isCancelled) return;
    let step = task.next();
    while (!step.done) {
      let sent: unknown;
      let thrown: unknown;
      try {
        sent = yield step.value;
      } catch (error) {
        thrown = error;
      }
      if (this.#isCancelled) thrown = cancelled();
      step = thrown === undefined ? task.next(sent) : task.throw(thrown);
    }
  }
}

/** Whether a driver has been told that its stream is over. */
export const isCancellation = (error: unknown): boolean => isErrno(error, 'ECANCELED');

function cancelled(): ErrnoError {
  return new ErrnoError('ECANCELED', 'VIDIOC_STREAMOFF', 'Cannot go on with the stream: it has been stopped');
}

class RunContext extends NodeContext {
  constructor(
    parts: NodeContextParts,
    parameters: unknown,
    ports: never,
    private readonly guard: (task: Task<void>) => Task<void>,
  ) {
    super(parts, parameters, ports);
  }

  override *parallel(tasks: readonly Task<void>[]): Task<void> {
    yield* super.parallel(tasks.map((task) => this.guard(task)));
  }
}
