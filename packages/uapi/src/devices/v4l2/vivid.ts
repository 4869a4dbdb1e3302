/** vivid, the virtual video driver: one device is a capture and an output. Source: vivid-core.c, v6.12. */
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { PageAllocator } from '../../kernel/pages.js';
import { addMediaNode } from './media-device.js';
import { addVideoNode } from './video-file.js';
import { VividCapture } from './vivid-capture.js';
import { VividInstance } from './vivid-instance.js';
import { VividOutput } from './vivid-output.js';

export interface VividOptions {
  /** Which device of the driver; its nodes are /dev/mediaN, and /dev/videoN and the next from 2N on. */
  readonly number: number;
  readonly isMultiplanar: boolean;
  /** Of what is left to chance, such as which frames are dropped. */
  readonly seed: number;
  /** Pages that follow each other: the device then needs memory in one piece, below 4 GiB. Absent = any memory will do. */
  readonly contiguousPages?: PageAllocator;
}

/** A vivid device, as a machine that sets it up sees it. */
export interface VividDevice {
  readonly capture: VividCapture;
  readonly output: VividOutput;
}

/** What a device asks of memory that is loaded with `allocators=1`; with vmalloc it does not attach at all. */
const CONTIGUOUS = {
  contiguous: true,
  dmaMask: 2 ** 32 - 1,
  subsystem: 'v4l2',
  source: 'vivid_create_instance (DMA_BIT_MASK(32)) and vb2_dc_map_dmabuf (in one piece), drivers/media, v6.12',
} as const;

/** Adds a device with its nodes. */
export function addVividNodes(kernel: SimulatedKernel, options: VividOptions): VividDevice {
  const { number, isMultiplanar, seed, contiguousPages } = options;
  const instance = new VividInstance(number, isMultiplanar, seed, contiguousPages);
  kernel.addDevice({ device: instance.name, ...(contiguousPages && CONTIGUOUS) });
  const media = { validateRequest: () => instance.maybeFail('validateRequest', 'MEDIA_REQUEST_IOC_QUEUE') };
  const capture = new VividCapture(kernel, instance, media);
  const output = new VividOutput(kernel, instance, media);
  addMediaNode(kernel, `/dev/media${number}`, media);
  addVideoNode(kernel, `/dev/video${2 * number}`, () => capture);
  addVideoNode(kernel, `/dev/video${2 * number + 1}`, () => output);
  return { capture, output };
}
