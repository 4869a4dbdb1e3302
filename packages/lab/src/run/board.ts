/** The heaps of a scenario: as plain data for the exporter actor, and made of it there. */
import { RandomStream } from '@dmabuf-lab/core/base';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  CarveoutHeap,
  ChunkHeap,
  CmaHeap,
  DeviceLocalHeap,
  PageZones,
  ProtectedHeap,
  type Reach,
  SystemContigHeap,
  SystemHeap,
  type Zone,
} from '@dmabuf-lab/heaps';
import { type Scenario, windowsOf } from '../scenario/index.js';

type Heap = Scenario['heaps'][number];
type Window = Scenario['memory']['windows'][number];

/** Memory and heaps: plain data. */
export interface BoardSpec {
  /** Windows that heaps of pages draw from, with holes where regions lie; all of them share one page allocator. */
  readonly zones: readonly (Zone & { readonly window: string })[];
  readonly windows: readonly Window[];
  readonly heaps: readonly Heap[];
}

/** The board of a scenario. */
export function boardOf({ memory, heaps }: Pick<Scenario, 'memory' | 'heaps'>): BoardSpec {
  const zones = memory.windows.flatMap(({ name, base, size }) => {
    if (!heaps.some((heap) => isOfPages(heap) && windowsOf(heap).includes(name))) return [];
    const holes = heaps.flatMap((heap) =>
      'base' in heap && heap.window === name ? [{ offset: heap.base - base, sizeBytes: heap.size }] : [],
    );
    return [{ window: name, base, sizeBytes: size, holes }];
  });
  return { zones, windows: memory.windows, heaps };
}

/**
 * Makes the heaps, in the order of the scenario: aged, and their pools filled.
 *
 * @param fillPools false where buffers of an earlier life still have their pages, which a pool might take
 */
export function makeHeaps({ zones, windows, heaps }: BoardSpec, memory: PhysicalMemory, fillPools = true): DmaHeap[] {
  const pages = new PageZones('board', memory, zones);
  const reachOf = (heap: Heap, lowOnly: boolean): Reach => {
    const named = windowsOf(heap);
    return {
      ...(lowOnly && { lowOnly }),
      zones: zones.flatMap(({ window }, i) => (named.includes(window) ? [i] : [])),
    };
  };
  const makeOne = (heap: Heap): DmaHeap => {
    const { name, cost } = heap;
    switch (heap.kind) {
      case 'system':
      case 'system-dma32':
        return systemHeap(heap, reachOf(heap, heap.kind === 'system-dma32'), pages, memory);
      case 'system-contig':
        return new SystemContigHeap(name, memory, pages, { cost, reach: reachOf(heap, heap.below4GiB === true) });
      case 'cma':
        return new CmaHeap(name, memory, regionOf(heap), heap.alignmentOrder, cost);
      case 'carveout':
        return new CarveoutHeap(name, memory, regionOf(heap), { cost, cache: heap.cache });
      case 'chunk':
        return new ChunkHeap(name, memory, regionOf(heap), { chunkBytes: heap.chunk, cost });
      case 'protected':
        return new ProtectedHeap(name, memory, regionOf(heap), cost);
      case 'device-local': {
        const { owner, visible: visibleBytes, peers: distances } = heap;
        const window = windows.find((candidate) => candidate.name === heap.window);
        const region = { base: window?.base ?? 0, sizeBytes: window?.size ?? 0 };
        return new DeviceLocalHeap(name, memory, region, { owner, visibleBytes, distances, cost });
      }
    }
  };
  const made = heaps.map(makeOne);
  // All memory is worn before any pool is filled from it.
  for (const [i, heap] of heaps.entries()) {
    if (heap.kind === 'system' && heap.aged !== undefined) age(made[i] as SystemHeap, heap.aged);
  }
  for (const heap of made) if (fillPools && heap instanceof SystemHeap) heap.fillPool();
  return made;
}

/** How much a heap has at most, in bytes. */
export function bytesOfHeap({ memory, heaps }: Scenario, heap: Heap): number {
  if ('base' in heap) return heap.size;
  return memory.windows.reduce((sum, window) => {
    if (!windowsOf(heap).includes(window.name)) return sum;
    const inside = heaps.filter((other) => 'base' in other && other.window === window.name);
    return sum + inside.reduce((left, other) => left - ('base' in other ? other.size : 0), window.size);
  }, 0);
}

function systemHeap(
  heap: Extract<Heap, { kind: 'system' | 'system-dma32' }>,
  reach: Reach,
  pages: PageZones,
  memory: PhysicalMemory,
): SystemHeap {
  const { name, cost, cache, deferredFree } = heap;
  const pool = heap.pool && { limitBytes: heap.pool.limit, fillBytes: heap.pool.fill };
  return new SystemHeap(name, memory, pages, { cost, reach, cache, deferredFree, pool });
}

function age(heap: SystemHeap, { keep, region, seed }: { keep: number; region?: number; seed?: number }): void {
  heap.age({ keep, regionBytes: region, random: new RandomStream(seed ?? 1, `heap.${heap.name}.aged`) });
}

function isOfPages({ kind }: Heap): boolean {
  return kind === 'system' || kind === 'system-dma32' || kind === 'system-contig';
}

function regionOf({ base, size }: { readonly base: number; readonly size: number }) {
  return { base, sizeBytes: size };
}
