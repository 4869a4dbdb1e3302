/**
 * One run of a driver, from STREAMON to STREAMOFF.
 *
 * STREAMOFF and close(2) take all buffers away at once, whatever the driver is doing. A run that has been cancelled is told so
 * when it goes on: ECANCELED is thrown where it waits, once, so that it unwinds and may leave what it has. It has no buffer
 * any more, and lives on beside a later run for as long as that takes.
 */
import { ErrnoError, InvariantError, type Task } from '@dmabuf-lab/core/base';
import { type AnyDriver, type InputPort, type OutputPort, runDriver, setUpDriver } from '@dmabuf-lab/core/driver';
import { NodeContext, type NodeContextParts } from '../node-context.js';

export interface DriverRunOptions {
  readonly parts: NodeContextParts;
  readonly driver: AnyDriver;
  readonly parameters: unknown;
  readonly ports: Readonly<Record<string, InputPort | OutputPort>>;
  /** Runs of the device that go on; this one is among them from its start until its driver has returned. */
  readonly running: Set<DriverRun>;
  /** The driver has returned by itself. */
  ended(): void;
  /** The driver has thrown while the stream was on. */
  failed(error: Error): void;
}

export class DriverRun {
  #isCancelled = false;
  /** The stream is over: what the driver does is no longer its device's business. */
  #isOver = false;
  readonly #context: RunContext;

  constructor(private readonly options: DriverRunOptions) {
    const { parts, parameters, ports } = options;
    this.#context = new RunContext(parts, parameters, ports as never, (task) => this.#guarded(task));
  }

  start(): void {
    const { parts, running } = this.options;
    running.add(this);
    parts.services.spawn('stream', this.#whole());
  }

  /** The stream is over in the middle of a frame. Never waits; nothing happens when the driver has returned. */
  cancel(): void {
    this.#isCancelled = true;
    this.finish();
  }

  /** The stream is over between two frames: the driver finds its ports at their end. Never waits. */
  finish(): void {
    this.#isOver = true;
    this.#context.stop();
  }

  *#whole(): Task<void> {
    const { parts, running } = this.options;
    yield* this.#guarded(this.#drive());
    running.delete(this);
    parts.kernel.changed();
  }

  *#drive(): Task<void> {
    const { driver } = this.options;
    const state = yield* setUpDriver(driver, this.#context);
    yield* runDriver(driver, this.#context, state);
    if (!this.#isOver) this.options.ended();
  }

  /** Never throws but for an error in this program. */
  *#guarded(task: Task<void>): Task<void> {
    try {
      yield* this.#steps(task);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      if (this.#isOver) return;
      this.finish(); // once: other lanes of the run find its ports at their end
      this.options.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  *#steps(task: Task<void>): Task<void> {
    if (this.#isCancelled) return;
    let isTold = false;
    let step = task.next();
    while (!step.done) {
      let sent: unknown;
      let thrown: unknown;
      try {
        sent = yield step.value;
      } catch (error) {
        thrown = error;
      }
      if (this.#isCancelled && !isTold) {
        isTold = true;
        thrown = cancelled();
      }
      step = thrown === undefined ? task.next(sent) : task.throw(thrown);
    }
  }
}

/** What a driver is told whose stream is over. */
export function cancelled(): ErrnoError {
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
