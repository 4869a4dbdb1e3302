/** A device of a scenario, as the functions that put one behind nodes take and give it. */
import { type ActorServices, ErrnoError } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { type AnyDriver, type DeviceContextParts, DeviceStatistics, type Payload } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { PageAllocator } from '../../kernel/pages.js';
import { DeviceServices } from './device-services.js';
import type { FrameContents } from './frame-contents.js';
import type { NodeContextParts } from './node-context.js';

/** What all devices of a machine share. */
export interface SocHost {
  readonly kernel: SimulatedKernel;
  readonly services: ActorServices;
  readonly contents: FrameContents;
  readonly payload: Payload;
  readonly runtime: DeviceContextParts['runtime'];
}

/** A device, with its driver as a pipeline would run it. */
export interface SocDeviceOptions {
  readonly name: string;
  readonly driver: AnyDriver;
  /** As `driver.prepare` has completed them. */
  readonly parameters: unknown;
  /** What it asks of memory, for its DRM node; absent = nothing. */
  readonly constraints?: Omit<DeviceConstraints, 'device'>;
  /** Where its own buffers come from; from the kernel's pages when absent. */
  readonly pages?: PageAllocator;
  /** Of an earlier life of the device, to go on with; absent = none. */
  readonly statistics?: DeviceStatistics;
}

export interface SocDevice {
  readonly name: string;
  /** Its nodes. */
  readonly paths: readonly string[];
  /** What its driver has counted and left, over all of its runs. */
  readonly statistics: DeviceStatistics;
  /** What its driver has thrown; absent = that ends the run. */
  readonly failures?: readonly { readonly timeNs: number; readonly error: Error }[];
  /** Its driver is at work, and may still count and leave things. */
  readonly isRunning?: boolean;
  /** Asks the driver to end, where closing its files does not. Never waits. */
  stop?(): void;
  /**
   * Takes the driver off the device: its nodes are gone, whoever is blocked in a call on them gets ENODEV, as does each later
   * call, and poll says ERR and HUP. Files can be closed, and what was exported stays. Putting it behind a node anew binds it
   * again. Never waits. Source: unbind_store, drivers/base/bus.c; vb2_video_unregister_device; drm_dev_unplug, v6.12.
   *
   * @throws ErrnoError ENODEV when it has been unbound
   */
  unbind(): void;
}

/** No end: a device behind a node works until user space stops it. */
const FOR_EVER_NS = Number.MAX_SAFE_INTEGER;

/** What the context of a device's driver is made of. */
export function contextParts(host: SocHost, name: string, statistics = new DeviceStatistics()): NodeContextParts {
  const { kernel, services, contents, payload, runtime } = host;
  kernel.pageWatchers.add(contents);
  return {
    kernel,
    contents,
    payload,
    runtime,
    statistics,
    services: new DeviceServices(services, name),
    durationNs: FOR_EVER_NS,
  };
}

/** @throws ErrnoError ENODEV when the device has no driver any more */
export function refuseUnbound(name: string, isUnbound: boolean): void {
  if (isUnbound) throw new ErrnoError('ENODEV', 'unbind', `Cannot unbind ${name}: it is not bound`, { device: name });
}
