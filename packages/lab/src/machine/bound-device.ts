/** A device of a scenario that can be unbound from its driver and bound again: each time it has a new life behind its node. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { addDriverAttributes, type SimulatedKernel, type SocDevice } from '@dmabuf-lab/uapi';

export class BoundDevice implements SocDevice {
  /** The latest last; only that one may be bound. */
  readonly #lives: SocDevice[];
  #isBound = true;

  /** @param add puts the driver behind the node; what it counts goes on with that of an earlier life */
  constructor(
    readonly driver: string,
    private readonly add: (earlier?: SocDevice) => SocDevice,
  ) {
    this.#lives = [add()];
  }

  get #latest(): SocDevice {
    return this.#lives[this.#lives.length - 1];
  }

  get name(): string {
    return this.#latest.name;
  }

  get paths(): readonly string[] {
    return this.#latest.paths;
  }

  get statistics(): SocDevice['statistics'] {
    return this.#latest.statistics;
  }

  get failures(): NonNullable<SocDevice['failures']> {
    return this.#lives.flatMap(({ failures = [] }) => failures);
  }

  get isRunning(): boolean {
    return this.#lives.some(({ isRunning }) => isRunning === true);
  }

  stop(): void {
    for (const life of this.#lives) life.stop?.();
  }

  unbind(): void {
    this.#latest.unbind();
    this.#isBound = false;
  }

  /** @throws ErrnoError EBUSY when it is bound. Source: __driver_probe_device, drivers/base/dd.c, v6.12 */
  bind(): void {
    if (this.#isBound) throw new ErrnoError('EBUSY', 'bind', `Cannot bind ${this.name}: it is bound`);
    this.#lives.push(this.add(this.#latest));
    this.#isBound = true;
  }
}

/** Lets programs bind and unbind devices by the files of their drivers in /sys. */
export function addBindings(kernel: SimulatedKernel, devices: readonly BoundDevice[]): void {
  for (const driver of new Set(devices.map((device) => device.driver))) {
    const find = (name: string): BoundDevice => {
      const found = devices.find((device) => device.name === name && device.driver === driver);
      if (found !== undefined) return found;
      throw new ErrnoError('ENODEV', 'bind', `Driver ${driver} has no device ${JSON.stringify(name)}`);
    };
    addDriverAttributes(kernel, driver, {
      bind: (name) => find(name).bind(),
      unbind: (name) => find(name).unbind(),
    });
  }
}
