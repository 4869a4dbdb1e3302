/** What the rig consists of in one run: sources, the driver's devices, sinks, and devices that come in the middle. */
import { firstTickAt, type Nanoseconds } from '../base/index.js';
import type { DmaHeap } from '../dma-buf/index.js';
import { type LinkShape, type Presence, planDriver, type QueuePolicy } from '../driver/index.js';
import type { RigDevice, RigSpec } from './rig.js';
import type { OpenHeap } from './rig-actors.js';
import { type Case, FRAMES, TESTED } from './run-case.js';
import type { Subject } from './subject.js';
import { testSink } from './test-sink.js';
import { testSource } from './test-source.js';
import type { TestedDriver } from './tested-driver.js';

const NEWCOMER_NS = 25_000_000;

/** A device of the driver under test. */
interface Tested {
  readonly name: string;
  readonly inputs: Subject['inputs'];
  readonly presence?: readonly Presence[];
  /** Its sources begin then. */
  readonly fromNs: Nanoseconds;
}

/** @param module URL of the driver's module, on threads; undefined in virtual time */
export function caseRig(
  subject: Subject,
  spec: Case,
  runs: TestedDriver,
  module: string | undefined,
): Pick<RigSpec, 'devices' | 'links' | 'runtime'> {
  const parts: CaseParts = { devices: [], links: [] };
  const { devices = [TESTED], presence, inputs = subject.inputs, change } = spec;
  for (const name of devices) addTested(parts, subject, spec, runs, module, { name, inputs, presence, fromNs: 0 });
  if (change !== undefined) {
    const { device: name, inputs: other, fromNs } = change;
    addTested(parts, subject, spec, runs, module, { name, inputs: other, presence: [{ fromNs }], fromNs });
  }
  return { ...parts, runtime: module === undefined ? 'virtual' : 'threads' };
}

interface CaseParts {
  readonly devices: RigDevice[];
  readonly links: LinkShape[];
}

function addTested(
  { devices, links }: CaseParts,
  subject: Subject,
  spec: Case,
  runs: TestedDriver,
  module: string | undefined,
  { name, inputs: formats, presence, fromNs }: Tested,
): void {
  const { driver, parameters } = subject;
  const { policy = 'block', depth } = spec;
  const link = (from: string, to: string, by: QueuePolicy): void => {
    links.push({ from, to, policy: by, ...(depth !== undefined && { depth }) });
  };
  const newcomer = (from: string): void => {
    if (spec.newcomers !== true) return;
    const late = `newcomer-${from.replace('.', '-')}`;
    const comes = [{ fromNs: NEWCOMER_NS }];
    devices.push({ name: late, runs: 'sink', parameters: {}, outputs: {}, contiguous: true, presence: comes });
    link(from, `${late}.in`, 'block');
  };
  const isLinked = (port: string): boolean => spec.unlinked?.includes(port) !== true;
  const inputs = Object.entries(formats).filter(([port]) => isLinked(port));
  for (const [port, format] of inputs) {
    const source = `source-${name}-${port}`;
    const fromTick = firstTickAt(fromNs, format.rate);
    const own = { fromTick, frames: spec.frames ?? FRAMES, ...spec.sources, ...spec.sourceOf?.[port] };
    const given = testSource.parameters.parse({ format, ...own });
    devices.push({ name: source, runs: 'source', parameters: given, outputs: { out: format } });
    link(`${source}.out`, `${name}.${port}`, 'block');
    newcomer(`${source}.out`);
  }
  const planned = planDriver(driver, parameters, Object.fromEntries(inputs));
  const linkedOnly = <Value>(of: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(Object.entries(of).filter(([port]) => isLinked(port)));
  const [outputs, forwards] = [linkedOnly(planned.outputs), linkedOnly(planned.forwards)];
  devices.push({
    ...{ name, runs, parameters, outputs, forwards },
    ...(presence && { presence }),
    ...traitsOf(subject, module),
  });
  for (const port of Object.keys(outputs)) {
    const sink = `sink-${name}-${port}`;
    const given = testSink.parameters.parse(spec.sink ?? {});
    devices.push({ name: sink, runs: 'sink', parameters: given, outputs: {} });
    link(`${name}.${port}`, `${sink}.in`, policy);
    if (forwards[port] === undefined) newcomer(`${name}.${port}`);
  }
}

function traitsOf({ driver, parameters }: Subject, module: string | undefined): Partial<RigDevice> {
  const { memory, importer } = driver;
  const sizeBytes = memory?.sizeBytes(parameters as never) ?? 0;
  const heap = (): OpenHeap =>
    module === undefined
      ? { open: (place) => driver.memory?.openHeap(place, parameters as never) as DmaHeap }
      : { module, parameters };
  return {
    ...(importer && { importer }),
    ...(sizeBytes > 0 && { memory: { sizeBytes, heap: heap() } }),
  };
}
