/** Scenarios of small cameras on one heap, as fast as they go on threads, or on the virtual clock. */

const CAMERA = '{ driver: camera, parameters: { width: 64, height: 64, rate: 50 } }';
const ENCODER = '{ driver: encoder, parameters: { service: 2ms } }';

export interface Unpaced {
  readonly name: string;
  readonly duration: string;
  /** Absent = on threads. */
  readonly runtime?: 'threads' | 'virtual';
  readonly cameras: readonly string[];
  readonly encoders: readonly string[];
  /** Other devices: what stands behind the name. */
  readonly others?: Readonly<Record<string, string>>;
  /** Each a mapping in YAML. */
  readonly links: readonly string[];
  readonly timeline: string;
}

export function unpaced({ name, duration, runtime = 'threads', ...of }: Unpaced): string {
  const devices = {
    ...Object.fromEntries(of.cameras.map((camera) => [camera, CAMERA])),
    ...Object.fromEntries(of.encoders.map((encoder) => [encoder, ENCODER])),
    ...of.others,
  };
  return `
name: ${name}
duration: ${duration}
runtime: ${runtime}
pace: ${runtime === 'threads' ? 'max' : 'real'}
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
${Object.entries(devices)
  .map(([device, is]) => `  ${device}: ${is}`)
  .join('\n')}
links:
${of.links.map((link) => `  - ${link}`).join('\n')}
timeline: [${of.timeline}]
`;
}
