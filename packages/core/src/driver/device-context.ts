/** What the world of a driver has in common wherever it runs: clock, waiting, random numbers, content checks, report. */
import {
  type ActorServices,
  EventClass,
  external,
  isErrno,
  type Nanoseconds,
  type RandomStream,
  sleepUntil,
  type Task,
  TimePark,
  type TraceEvent,
} from '../base/index.js';
import type { PortDeclarations, Ports } from './define-driver.js';
import type { Access, DriverContext, Frame, Job, JobOptions, Lane } from './driver-port.js';
import { badStamps, imageChecksum, type Payload, writeStamps } from './payload.js';
import { type ServiceTime, serviceNs } from './service-time.js';
import type { Artefact, DeviceStatistics } from './statistics.js';

export interface DeviceContextParts {
  readonly services: ActorServices;
  readonly statistics: DeviceStatistics;
  readonly payload: Payload;
  readonly durationNs: Nanoseconds;
  readonly runtime: 'threads' | 'virtual';
}

/** A driver's context without what depends on where its buffers come from. */
export abstract class DeviceContext<Parameters = unknown, Declared extends PortDeclarations = PortDeclarations>
  implements DriverContext<Parameters, Declared>
{
  constructor(
    protected readonly common: DeviceContextParts,
    readonly parameters: Parameters,
    readonly ports: Ports<Declared>,
  ) {}

  abstract lane(): Lane;
  abstract tick(timeNs: Nanoseconds): Task<boolean>;
  abstract parallel(tasks: readonly Task<void>[]): Task<void>;
  abstract begin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job>;

  get device(): string {
    return this.common.services.name;
  }

  get payload(): Payload {
    return this.common.payload;
  }

  get runtime(): 'threads' | 'virtual' {
    return this.common.runtime;
  }

  get backPressured(): boolean {
    return this.common.services.backPressured;
  }

  get durationNs(): Nanoseconds {
    return this.common.durationNs;
  }

  now(): Nanoseconds {
    return this.common.services.clock.now();
  }

  random(name: string): RandomStream {
    return this.common.services.random(name);
  }

  sleepUntil(timeNs: Nanoseconds): Task<void> {
    return sleepUntil(timeNs, 'the clock');
  }

  beat(timeNs: Nanoseconds): Task<void> {
    return sleepUntil(timeNs, 'a vblank', EventClass.Source);
  }

  *external<T>(promise: PromiseLike<T>, what: string): Task<T> {
    this.common.services.clock.now();
    return yield* external(promise, what);
  }

  *tryBegin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job | undefined> {
    try {
      return yield* this.begin(lane, accesses, options);
    } catch (error) {
      if (
        !isErrno(
          error,
          'ETIMEDOUT',
          'EBUSY',
          'ENOMEM',
          'EINVAL',
          'EPERM',
          'EIO',
          'EOPNOTSUPP',
          'ECANCELED',
          'ENODEV',
          'ESTALE',
          'EIO',
        )
      )
        throw error;
      this.count('refused');
      this.count(`refused${error.code}`);
      if (this.tracing) this.trace(`refused: ${error.code}`, this.now());
      return undefined;
    }
  }

  *serve(job: Job, time: ServiceTime, random: RandomStream): Task<void> {
    const { bytes, segments } = time.kind === 'bandwidth' ? job.transfer : { bytes: 0, segments: 0 };
    const serviceTimeNs = serviceNs(time, bytes, segments, random);
    if (serviceTimeNs > 0) yield new TimePark(job.startNs + serviceTimeNs, 'the end of a job');
    this.common.statistics.serviceNs += this.now() - job.startNs;
  }

  seal(job: Job, frame: Frame): void {
    if (this.payload === 'stamp') writeStamps(job.segments(frame), frame.bufferNumber, frame.sequence);
    else if (this.payload === 'pixels') frame.checksum = imageChecksum(job.segments(frame), frame.format);
  }

  verify(job: Job, frame: Frame): boolean {
    if (frame.error !== 0) {
      this.count('failedFrames'); // its fence has said so: nobody was deceived
      return false;
    }
    if (this.payload === 'timing') return true;
    const good = this.#contentIsGood(job, frame);
    this.count(good ? 'checksPassed' : 'checksFailed');
    if (!good) this.sequence('failedChecks', frame.sequence);
    return good;
  }

  #contentIsGood(job: Job, frame: Frame): boolean {
    const segments = job.segments(frame);
    if (this.payload === 'stamp') return badStamps(segments, frame.bufferNumber, frame.sequence) === 0;
    return imageChecksum(segments, frame.format) === frame.checksum;
  }

  count(name: string, by = 1): void {
    this.common.statistics.count(name, by);
  }

  sequence(name: string, sequence: number): void {
    this.common.statistics.sequence(name, sequence);
  }

  dropped(sequence: number): void {
    this.common.statistics.dropped.add(sequence);
  }

  arrived(what: string, frame: Frame): void {
    this.common.statistics.latency(what, this.now() - frame.capturedNs);
  }

  artefact(artefact: Artefact): void {
    this.common.statistics.artefacts.push(artefact);
  }

  get tracing(): boolean {
    return this.common.services.trace.enabled;
  }

  trace(name: string, startNs: Nanoseconds, durationNs?: Nanoseconds, args?: TraceEvent['args']): void {
    this.common.services.trace.add({ track: this.device, name, startNs, durationNs, args });
  }
}
