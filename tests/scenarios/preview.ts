/** The scenario in which devices die, hang and come back. */
import type { RunResult } from '@dmabuf-lab/lab';

/** A small preview with a recorder, and lines of one's own. */
export function preview(
  lines: string,
  { restart = 'one-for-one', durationMs = 1000, limits = 'late: 100ms, hung: 300ms' } = {},
): string {
  return `
name: faults
duration: ${durationMs}ms
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 16MiB }
devices:
  camera: { driver: camera, constraints: { iommu: { iovaBits: 32 } }, parameters: { width: 64, height: 64, rate: 60 } }
  gpu: { driver: gpu, constraints: { iommu: { iovaBits: 48 } }, parameters: { service: 6ms } }
  display: { driver: display, constraints: { iommu: { iovaBits: 32 } }, parameters: { refresh: 60 } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 8ms } }
pools:
  camera.out: { buffers: 4 }
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
  - { from: camera.out, to: encoder.in, depth: 2, policy: drop-oldest }
supervision: { restart: ${restart}, restarts: 1000, backoff: 1ms, ${limits} }
timeline: [${lines}]
`;
}

/** In start order. */
export const DEVICES = ['camera', 'gpu', 'display', 'encoder'];
export const kindsOf = ({ incidents }: RunResult): string[] => incidents.map(({ kind, device }) => `${device} ${kind}`);
export const checksFailed = ({ devices }: RunResult): number =>
  Object.values(devices).reduce((sum, { counters }) => sum + (counters.checksFailed ?? 0), 0);
