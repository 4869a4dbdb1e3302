/** A GPU behind a node: its driver, the queue in front of it, and what the driver makes of a picture. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  type AnyDriver,
  type DeviceStatistics,
  type DriverContext,
  type FrameFormat,
  type Ports,
  planDriver,
} from '@dmabuf-lab/core/driver';
import { NodeContext, type NodeContextParts } from '../node-context.js';
import { contextParts, type SocDeviceOptions, type SocHost } from '../soc-device.js';
import { inputOf, portOf, runDriver } from './driver-thread.js';
import type { RenderJob } from './render-job.js';
import { RenderPorts } from './render-ports.js';
import { RenderQueue } from './render-queue.js';

/** What a driver does with a picture. */
export interface RenderWork {
  /** Why it cannot; empty when it can. */
  readonly problems: readonly string[];
  /** What it writes; undefined when it has no buffer of its own. */
  readonly target: FrameFormat | undefined;
  /** It draws into the picture itself. */
  readonly isInPlace: boolean;
}

export class RenderDevice {
  readonly queue: RenderQueue;
  readonly #parts: NodeContextParts;
  readonly #driver: AnyDriver;
  readonly #input: string;
  readonly #output: string | undefined;
  #isStarted = false;

  /** @throws ErrnoError EINVAL for a driver without an input */
  constructor(
    readonly host: SocHost,
    private readonly options: SocDeviceOptions,
  ) {
    const { name, driver } = options;
    this.#driver = driver;
    this.#input = inputOf(driver, 'addRenderNode');
    this.#output = portOf(driver, 'out');
    this.queue = new RenderQueue(host.kernel);
    this.#parts = contextParts(host, name, options.statistics);
  }

  get name(): string {
    return this.options.name;
  }

  get statistics(): DeviceStatistics {
    return this.#parts.statistics;
  }

  /** Puts a span on the track of the device, if a trace is kept. */
  readonly trace: DriverContext['trace'] = (name, startNs, durationNs, args) => {
    const { trace } = this.#parts.services;
    if (trace.enabled) trace.add({ track: this.name, name, startNs, durationNs, args });
  };

  get isRunning(): boolean {
    return this.#isStarted && !this.queue.hasEnded;
  }

  /** Asks the driver, as a pipeline does before it starts. */
  plan(format: FrameFormat): RenderWork {
    const plan = planDriver(this.#driver, this.options.parameters, { [this.#input]: format });
    const { outputs, forwards } = plan;
    const problems = plan.problems.map(({ message }) => message);
    const isInPlace = this.#output !== undefined && forwards[this.#output] === this.#input;
    const target = this.#output === undefined || isInPlace ? undefined : outputs[this.#output];
    return { problems, target, isInPlace };
  }

  /** Queues a job; the driver starts with the first. */
  push(job: RenderJob): void {
    this.queue.push(job);
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#parts.services.spawn('driver', this.#run(job));
  }

  *#run(first: RenderJob): Task<void> {
    const { kernel, statistics } = this.#parts;
    const { input, output } = new RenderPorts({ kernel, queue: this.queue, statistics, ...first.formats });
    const ports = { [this.#input]: input, ...(this.#output !== undefined && { [this.#output]: output }) };
    const context = new NodeContext(this.#parts, this.options.parameters, ports as Ports<AnyDriver['ports']>);
    try {
      yield* runDriver(this.#driver, context);
    } finally {
      this.queue.driverEnded();
    }
  }
}
