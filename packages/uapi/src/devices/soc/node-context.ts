/** A driver's context behind a device node: time and waiting as in a pipeline, buffers as user space hands them in. */
import { EventClass, type Nanoseconds, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import {
  type Access,
  type Artefact,
  DeviceContext,
  type DeviceContextParts,
  type Frame,
  type Job,
  type Lane,
  type PortDeclarations,
  type Ports,
} from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { FrameContents } from './frame-contents.js';
import type { NodeFrame } from './node-frame.js';
import { NodeJob } from './node-job.js';

export interface NodeContextParts extends DeviceContextParts {
  readonly kernel: SimulatedKernel;
  readonly contents: FrameContents;
}

export class NodeContext<
  Parameters = unknown,
  Declared extends PortDeclarations = PortDeclarations,
> extends DeviceContext<Parameters, Declared> {
  #isStopping = false;

  constructor(
    private readonly parts: NodeContextParts,
    parameters: Parameters,
    ports: Ports<Declared>,
  ) {
    super(parts, parameters, ports);
  }

  /** The device is to stop, as at STREAMOFF: a source has no further tick. */
  stop(): void {
    this.#isStopping = true;
    this.parts.kernel.changed();
  }

  /** A device that streams again leaves things of the same names again: they are numbered. */
  override artefact(artefact: Artefact): void {
    const { artefacts } = this.parts.statistics;
    const numbered = (n: number): string => artefact.name.replace(/(?=\.[^.]*$)/, n === 1 ? '' : `-${n}`);
    let n = 1;
    while (artefacts.some(({ name }) => name === numbered(n))) n += 1;
    super.artefact({ ...artefact, name: numbered(n) });
  }

  /** Fences belong to submissions here, and not to lanes. */
  override lane(): Lane {
    return { owed: 0 };
  }

  override *tick(timeNs: Nanoseconds): Task<boolean> {
    if (!this.#isStopping) {
      const look = (): true | undefined => (this.#isStopping ? true : undefined);
      yield* this.parts.kernel.wait(look, timeNs, 'the next tick');
      if (!this.#isStopping) yield* sleepUntil(timeNs, 'the next tick', EventClass.Source);
    }
    return !this.#isStopping;
  }

  override *parallel(tasks: readonly Task<void>[]): Task<void> {
    const { kernel, services } = this.parts;
    let running = tasks.length;
    const counted = function* (task: Task<void>): Task<void> {
      yield* task;
      running -= 1;
      kernel.changed();
    };
    for (const [i, task] of tasks.entries()) services.spawn(`lane ${i + 1}`, counted(task));
    const look = (): true | undefined => (running === 0 ? true : undefined);
    yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'its lanes');
  }

  override begin(_lane: Lane, accesses: readonly Access<NodeFrame>[]): Task<NodeJob> {
    return NodeJob.begin(this.parts.kernel, accesses);
  }

  override seal(job: Job, frame: NodeFrame): void {
    super.seal(job, frame);
    const { bufferNumber, sequence, capturedNs, checksum } = frame;
    this.parts.contents.seal(frame.pages, { bufferNumber, sequence, capturedNs, checksum });
  }

  /** What the processor has drawn carries no mark to be checked. */
  override verify(job: Job, frame: NodeFrame & Frame): boolean {
    const isMarked = frame.content !== undefined && frame.content.isTouched !== true;
    if (isMarked || frame.error !== 0) return super.verify(job, frame);
    this.count('unmarked');
    return true;
  }
}
