/** From a picture in a heap buffer over the GPU to the display: descriptors only, and nobody copies. */
import { type Task, tickTime } from '@dmabuf-lab/core/base';
import { crc32OfSegments } from '@dmabuf-lab/drivers/pixels';
import {
  addFramebuffer,
  type OpenDisplay,
  openDisplay,
  openDrm,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  readFlip,
  showFramebuffer,
  submitRender,
  turnOffDisplay,
  turnOnDisplay,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { addDisplay, addGpu, CARD, GPU, onMachine } from './drm-machine.js';
import {
  HEIGHT,
  heapPicture,
  nv12Source,
  RGBA_BYTES,
  RGBA_STRIDE,
  rendered,
  rgbaBuffer,
  rgbaTarget,
  testPattern,
  WIDTH,
} from './pictures.js';

const VBLANK = (n: number): number => tickTime(n, { num: 60, den: 1 });
const US = (ns: number): number => Math.floor(ns / 1000) * 1000;
const crcOf = (bytes: Uint8Array): string => crc32OfSegments([bytes]).toString(16).padStart(8, '0');

/** A buffer that the GPU draws into and the display shows. */
interface Shared {
  readonly handle: number;
  readonly framebuffer: number;
}

function* sharedBuffer(process: Process, gpu: number, display: OpenDisplay): Task<Shared> {
  const { handle } = yield* rgbaBuffer(process, gpu);
  const fd = yield* primeHandleToFd(process, gpu, handle);
  const imported = yield* primeFdToHandle(process, display.fd, fd);
  process.close(fd);
  const layout = { handle: imported, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: RGBA_STRIDE };
  return { handle, framebuffer: yield* addFramebuffer(process, display, layout) };
}

for (const [explicit, serviceMs, vblanks] of [
  [false, 4, 1],
  [true, 4, 1],
  [false, 20, 2],
  [true, 20, 2],
] as const) {
  const how = explicit ? 'sync files' : 'the fences of the buffers';
  test(`pictures, drawn in ${serviceMs} ms and ordered by ${how}, are shown each ${vblanks} vblanks after the last`, (t) => {
    onMachine(function* ({ process, kernel, host }) {
      const rendering = addGpu(host, { service: `${serviceMs}ms`, servers: 2 });
      const showing = addDisplay(host, { pictures: 2 });
      const gpu = openDrm(process, GPU);
      const display = yield* openDisplay(process, CARD);
      const buffers = [yield* sharedBuffer(process, gpu, display), yield* sharedBuffer(process, gpu, display)];
      yield* turnOnDisplay(process, display, buffers[1].framebuffer);
      const crcs = [`1 ${crcOf(new Uint8Array(RGBA_BYTES))}`];
      for (const [i, pattern] of [1, 2, 3, 4].map(testPattern).entries()) {
        const source = yield* heapPicture(process, gpu, pattern);
        const { handle, framebuffer } = buffers[i % 2];
        const job = { source: nv12Source(source.handle), target: rgbaTarget({ handle }) };
        const { number, outFence } = yield* submitRender(process, gpu, {
          ...job,
          implicit: !explicit,
          outFence: explicit,
        });
        crcs.push(`${number} ${crcOf(rendered(pattern, number))}`);
        const inFence = outFence === undefined ? {} : { inFence: outFence };
        yield* showFramebuffer(process, display, framebuffer, { ...inFence, event: 0n });
        t.is((yield* readFlip(process, display)).timeNs, US(VBLANK((i + 1) * vblanks)));
        t.is(kernel.now(), VBLANK((i + 1) * vblanks));
      }
      yield* turnOffDisplay(process, display);
      const [{ bytes }] = showing.statistics.artefacts.filter(({ name }) => name === 'crc.txt');
      t.deepEqual(new TextDecoder().decode(bytes).trim().split('\n'), crcs);
      const { counters, latencies } = showing.statistics;
      t.is(counters.get('checksPassed'), 4, 'marked by the GPU, found by the display');
      t.is(counters.get('unmarked'), 1, 'nobody had drawn the first');
      t.is(counters.get('lateVblanks'), 4 * (vblanks - 1));
      t.like(rendering.statistics, { framesIn: 4, framesOut: 4 });
      t.deepEqual(
        latencies.get('display')?.report().sampleNs.slice(1),
        [1, 2, 3, 4].map((i) => VBLANK(i * vblanks) - VBLANK((i - 1) * vblanks)),
      );
    });
  });
}
