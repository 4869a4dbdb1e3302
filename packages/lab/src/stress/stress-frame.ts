/** A buffer of the directory as jobs take it. */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { BufferHandle } from '@dmabuf-lab/core/dma-buf';
import { frameFormat, type JobFrame } from '@dmabuf-lab/core/driver';

/** Nobody looks at it: stamps go by pages. */
const FORMAT = frameFormat('NV12', 64, 32, { num: 30, den: 1 });

export class StressFrame implements JobFrame {
  readonly format = FORMAT;
  readonly sequence = 0;
  readonly capturedNs: Nanoseconds = 0;
  readonly acquireFence = undefined;
  checksum = 0;
  error = 0;

  constructor(readonly buffer: BufferHandle) {}

  get row(): number {
    return this.buffer.slot;
  }

  get bufferNumber(): number {
    return this.buffer.slot;
  }

  describe(): void {}

  readyAfter(): void {}

  [Symbol.dispose](): void {}
}
