/** The devices of a scenario behind nodes: their drivers, constraints and numbers, on the buffers of a program. */
import { type ActorServices, ErrnoError } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import type { AnyDriver, Payload } from '@dmabuf-lab/core/driver';
import {
  addCaptureNode,
  addDisplayNode,
  addEncoderNode,
  addRenderNode,
  FrameContents,
  type PageAllocator,
  type SimulatedKernel,
  type SocDevice,
  type SocHost,
} from '@dmabuf-lab/uapi';
import { addBindings, BoundDevice } from './bound-device.js';

/** What stands in front of a device: a V4L2 capture, a V4L2 encoder, a DRM render node, a screen. */
export type NodeKind = 'capture' | 'encoder' | 'render' | 'display';

export interface ScenarioNode {
  readonly name: string;
  readonly kind: NodeKind;
  /** Such as `/dev/video10`; `/dev/by-name/NAME` opens it too. */
  readonly path: string;
  readonly driver: AnyDriver;
  readonly parameters: unknown;
  readonly constraints: DeviceConstraints;
  /** Of a screen: its preferred mode. */
  readonly widthPixels?: number;
  readonly heightPixels?: number;
}

export interface ScenarioNodesOptions {
  readonly kernel: SimulatedKernel;
  readonly services: ActorServices;
  readonly payload: Payload;
  readonly runtime: SocHost['runtime'];
  /** Memory in one piece, for devices that need it. */
  readonly contiguousPages: PageAllocator;
}

/**
 * @throws ErrnoError EEXIST when a device has the name of one of the machine's, before any is added; EINVAL when a driver does
 *   not fit its kind of node
 */
export function addScenarioNodes(nodes: readonly ScenarioNode[], options: ScenarioNodesOptions): SocDevice[] {
  const { kernel, contiguousPages } = options;
  checkNames(nodes, kernel);
  const host: SocHost = { ...options, contents: new FrameContents() };
  const devices = nodes.map((node) => {
    kernel.addDevice(node.constraints);
    kernel.addNode(`/dev/by-name/${node.name}`, (flags) => kernel.openNode(node.path, flags));
    return new BoundDevice(node.driver.name, (earlier) => addNode(host, node, contiguousPages, earlier));
  });
  addBindings(kernel, devices);
  return devices;
}

/** By its name a device is found, with what it asks of memory: there cannot be two. Source: sysfs_warn_dup in device_add, v6.12. */
function checkNames(nodes: readonly ScenarioNode[], kernel: SimulatedKernel): void {
  for (const { name } of nodes) {
    if (!kernel.hasDevice(name)) continue;
    const message = `Cannot add ${name}: the machine of programs has a device of that name; rename it in the scenario`;
    throw new ErrnoError('EEXIST', 'device_add', message, { device: name });
  }
}

function addNode(
  host: SocHost,
  { kind, constraints, ...options }: ScenarioNode,
  contiguousPages: PageAllocator,
  earlier: SocDevice | undefined,
): SocDevice {
  const isContiguous = constraints.contiguous === true && constraints.iommu === undefined;
  const pages = isContiguous ? { isContiguous, pages: contiguousPages } : {};
  const memory = { ...pages, ...(earlier && { statistics: earlier.statistics }) };
  switch (kind) {
    case 'capture':
      return addCaptureNode(host, { ...options, ...memory });
    case 'encoder':
      return addEncoderNode(host, { ...options, ...memory });
    case 'render':
      return addRenderNode(host, { ...options, constraints, ...memory });
    case 'display':
      return addDisplayNode(host, { ...options, constraints, ...memory });
  }
}
