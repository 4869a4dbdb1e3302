/** The services of an actor, for one of the devices in it: under the device's name, with random streams of its own. */
import type { ActorId, ActorServices, CallHandler, Nanoseconds, RandomStream, Task } from '@dmabuf-lab/core/base';

export class DeviceServices implements ActorServices {
  constructor(
    private readonly host: ActorServices,
    readonly name: string,
  ) {}

  get id(): ActorId {
    return this.host.id;
  }

  get clock(): ActorServices['clock'] {
    return this.host.clock;
  }

  get words(): ActorServices['words'] {
    return this.host.words;
  }

  get trace(): ActorServices['trace'] {
    return this.host.trace;
  }

  /** User space decides how many buffers there are: a source without one loses the frame. */
  get backPressured(): boolean {
    return false;
  }

  random(name: string): RandomStream {
    return this.host.random(`${this.name}/${name}`);
  }

  call<T>(peer: string, method: string, args: unknown): Task<T> {
    return this.host.call(peer, method, args);
  }

  serve(handlers: Readonly<Record<string, CallHandler>>): void {
    this.host.serve(handlers);
  }

  spawn(name: string, task: Task<void>): void {
    this.host.spawn(`${this.name}: ${name}`, task);
  }

  untilScenarioTime(timeNs: Nanoseconds): Task<boolean> {
    return this.host.untilScenarioTime(timeNs);
  }
}
