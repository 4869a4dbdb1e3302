/** A camera before a GPU with a display, and an encoder that comes late and asks the exporter for every buffer. */

/** What a test of wild writes says of its run; absent = as on the virtual clock with seed 1, without supervision. */
export interface LateEncoder {
  readonly name: string;
  readonly seed?: number | undefined;
  readonly runtime?: 'virtual' | 'threads' | undefined;
  /** Of the camera and the GPU. */
  readonly mapping?: 'per-job' | 'held' | undefined;
  /** Of the link to the display; absent = the GPU waits for it. */
  readonly displayPolicy?: 'drop-oldest';
  /** In YAML, such as `{ restart: one-for-one }`. */
  readonly supervision?: string | undefined;
  /** Events in YAML: `{ at: 300ms, kill: gpu }`. */
  readonly events: readonly string[];
}

/** The encoder comes, and goes. */
export const ATTACH = '{ at: 500ms, attach: encoder }';
export const DETACH = '{ at: 800ms, detach: encoder }';

/** The text of the scenario, whose buffers are followed. */
export function lateEncoder(said: LateEncoder): string {
  const { name, seed = 1, runtime = 'virtual', mapping = 'per-job', displayPolicy, supervision, events } = said;
  return `
name: ${name}
duration: 1s
seed: ${seed}
runtime: ${runtime}
pace: real
payload: stamp
debug: { history: true }
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 16MiB }
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 60 }, mapping: ${mapping} }
  gpu: { driver: gpu, parameters: { service: 6ms }, mapping: ${mapping} }
  display: { driver: display, parameters: { refresh: 60 } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 2ms } }
pools:
  camera.out: { buffers: 4 }
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in, policy: drop-oldest, depth: 2 }
  - { from: gpu.out, to: display.in${displayPolicy === undefined ? '' : `, policy: ${displayPolicy}, depth: 2`} }
  - { from: camera.out, to: encoder.in, depth: 2, policy: drop-oldest }
${supervision === undefined ? '' : `supervision: ${supervision}\n`}timeline:
${events.map((event) => `  - ${event}\n`).join('')}`;
}
