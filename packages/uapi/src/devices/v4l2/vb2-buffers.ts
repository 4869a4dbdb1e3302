/** The buffers of a queue by their indexes, which may have holes. Source: __vb2_queue_alloc, videobuf2-core.c, v6.12. */
import { isErrno } from '@dmabuf-lab/core/base';
import { PAGE_BYTES } from '../../abi/fcntl.js';
import { V4L2_MEMORY } from '../../abi/videodev2.js';
import { Vb2Buffer, type Vb2Plane } from './vb2-buffer.js';
import type { Vb2MemOps } from './vb2-memory.js';

/** A buffer has room for so many planes in the offsets by which they are mapped. */
const PLANES_IN_OFFSET = 8;

export class Vb2Buffers {
  readonly #slots: (Vb2Buffer | undefined)[];

  constructor(
    private readonly memory: Vb2MemOps,
    /** Most buffers. */
    readonly limit: number,
    /** What the offsets by which they are mapped begin with, bytes. */
    private readonly firstOffset: number,
  ) {
    this.#slots = new Array<Vb2Buffer | undefined>(limit).fill(undefined);
  }

  get count(): number {
    return this.all().length;
  }

  /** In the order of their indexes. */
  all(): Vb2Buffer[] {
    return this.#slots.flatMap((buffer) => buffer ?? []);
  }

  at(index: number): Vb2Buffer | undefined {
    return this.#slots[index];
  }

  /**
   * Makes buffers at indexes that follow each other: as many as there is room and memory for.
   *
   * @param sizes of the planes
   * @returns the new ones; none when nothing fits
   */
  add(wanted: number, memory: number, sizes: readonly number[]): Vb2Buffer[] {
    const made: Vb2Buffer[] = [];
    const { first, count } = this.#gap(Math.min(wanted, this.limit - this.count));
    for (let index = first; index < first + count; index += 1) {
      const buffer = new Vb2Buffer(index, sizes);
      if (memory === V4L2_MEMORY.MMAP && !this.#allocate(buffer)) break;
      this.#slots[index] = buffer;
      made.push(buffer);
    }
    return made;
  }

  /** The first run of free indexes of that length, or of the longest there is. */
  #gap(wanted: number): { first: number; count: number } {
    for (let count = wanted; count > 0; count -= 1) {
      for (let first = 0; first + count <= this.limit; first += 1) {
        if (this.#slots.slice(first, first + count).every((buffer) => buffer === undefined)) return { first, count };
      }
    }
    return { first: 0, count: 0 };
  }

  /** Source: __vb2_buf_mem_alloc, __setup_offsets. @returns false where there is no memory */
  #allocate(buffer: Vb2Buffer): boolean {
    try {
      for (const [i, plane] of buffer.planes.entries()) {
        plane.memory = this.memory.allocate(plane.lengthBytes);
        plane.m = BigInt(this.firstOffset + (buffer.index * PLANES_IN_OFFSET + i) * PAGE_BYTES);
      }
      return true;
    } catch (error) {
      buffer.releaseMemory();
      if (isErrno(error, 'ENOMEM')) return false;
      throw error;
    }
  }

  /** Frees those of a range of indexes; where one is mapped or exported, its memory stays. Source: __vb2_queue_free. */
  free(start: number, count: number): void {
    for (let index = start; index < Math.min(start + count, this.limit); index += 1) {
      this.#slots[index]?.releaseMemory();
      this.#slots[index] = undefined;
    }
  }

  /** Source: __find_plane_by_offset. @param page of the offset */
  planeAtPage(page: number): Vb2Plane | undefined {
    const index = Math.floor(page / PLANES_IN_OFFSET) % 2 ** 15;
    return this.#slots[index]?.planes[page % PLANES_IN_OFFSET];
  }
}
