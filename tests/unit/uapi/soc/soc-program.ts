/** A program that adds its devices itself, for the virtual runtime: pictures over GPU and display, and then the end. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  addFramebuffer,
  openDisplay,
  openDrm,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  readFlip,
  type SimulatedKernel,
  showFramebuffer,
  submitRender,
  turnOnDisplay,
} from '@dmabuf-lab/uapi';
import { addDisplay, addGpu, CARD, GPU, hostOn } from './drm-machine.js';
import {
  HEIGHT,
  heapPicture,
  nv12Source,
  RGBA_STRIDE,
  rgbaBuffer,
  rgbaTarget,
  testPattern,
  WIDTH,
} from './pictures.js';

/** What it has seen: plain data. */
export interface SocProgramResult {
  readonly flips: readonly (readonly [timeNs: number, sequence: number])[];
}

export function* main(process: Process, kernel: SimulatedKernel): Task<SocProgramResult> {
  const host = hostOn(kernel);
  const device = addGpu(host, { service: { uniform: ['1ms', '30ms'] }, servers: 2 });
  addDisplay(host);
  const gpu = openDrm(process, GPU);
  const display = yield* openDisplay(process, CARD);
  const framebuffers: number[] = [];
  const targets: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const { handle } = yield* rgbaBuffer(process, gpu);
    const imported = yield* primeFdToHandle(process, display.fd, yield* primeHandleToFd(process, gpu, handle));
    const layout = { handle: imported, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: RGBA_STRIDE };
    targets.push(handle);
    framebuffers.push(yield* addFramebuffer(process, display, layout));
  }
  const source = yield* heapPicture(process, gpu, testPattern(1));
  yield* turnOnDisplay(process, display, framebuffers[2]);
  const flips: (readonly [number, number])[] = [];
  for (let i = 0; i < 12; i += 1) {
    const handle = targets[i % 3];
    yield* submitRender(process, gpu, { source: nv12Source(source.handle), target: rgbaTarget({ handle }) });
    yield* showFramebuffer(process, display, framebuffers[i % 3], { event: BigInt(i) });
    const { timeNs, sequence } = yield* readFlip(process, display);
    flips.push([timeNs, sequence]);
  }
  device.stop?.();
  return { flips };
}
