/** A small scenario that is in order, for tests to break. */
import { parseScenario, ScenarioError } from '@dmabuf-lab/lab';

/** Lines are counted from 1: `driver: gpu` is line 16, `timeline:` is line 28. */
export const GOOD = `name: small
duration: 10s
memory:
  windows:
    - { name: dram, base: 0x4000_0000, size: 1GiB }
    - { name: high, base: 0x1_0000_0000, size: 1GiB }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x7000_0000, size: 64MiB }
  - { name: cma2, kind: cma, window: dram, base: 0x7400_0000, size: 64MiB }
devices:
  camera:
    driver: camera
    mapping: held
  gpu:
    driver: gpu
  display:
    driver: display
  encoder:
    driver: encoder
    constraints: { contiguous: true }
pools:
  camera.out: { buffers: 4 }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
  - { from: camera.out, to: encoder.in }
timeline:
  - { at: 2s, attach: encoder }
  - { at: 6s, detach: encoder }
  - { at: 8s, reqbufs: camera }
expect:
  ledger.empty: true
`;

/** The good scenario with one line changed, which must occur exactly once. */
export function changed(from: string, to: string): string {
  const parts = GOOD.split(from);
  if (parts.length !== 2) throw new Error(`expected "${from}" once in the scenario, got ${parts.length - 1} times`);
  return parts.join(to);
}

/** What is said of a scenario, one line a problem; nothing when it is in order. */
export function complaints(text: string): string[] {
  try {
    parseScenario(text, 'x.yaml');
    return [];
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split('\n');
    throw error;
  }
}
