/** How the rig runs the driver under test, and follows it: in this thread, or in the worker of its device. */
import type { Nanoseconds } from '../base/index.js';
import type { AnyDriver } from '../driver/index.js';
import type { StayLog } from './checked-driver.js';
import { Findings } from './findings.js';
import { Monitor, type MonitorOptions } from './monitor.js';
import { type LongestJob, TestedReader, type TestedRecord, TestedWriter, testedMemory } from './tested-words.js';

/** One life of the driver, and who watches over it. */
export interface TestedLife {
  readonly driver: AnyDriver;
  readonly monitor: Monitor;
  readonly stays: StayLog;
}

/** What a worker makes lives of: plain data. */
export interface TestedModule {
  /** URL of the module whose default export is the driver. */
  readonly module: string;
  readonly memory: SharedArrayBuffer;
  readonly options: Omit<MonitorOptions, 'onCall'>;
}

/** The driver under test, as its lives are made. */
export type TestedDriver = { begin(life: number): TestedLife } | TestedModule;

export interface Stay {
  readonly beganNs: Nanoseconds;
  endedNs?: Nanoseconds;
  tooEarly?: boolean;
}

/** What is known of the lives of a driver, once its run is over or given up. */
export interface Followed {
  readonly tested: TestedDriver;
  readonly stays: readonly Stay[];
  /** The job that was open longest. */
  readonly longest: LongestJob;
  /** What it does now: `the driver waits in in.take at my-isp.ts:12`; empty when nothing is known. */
  describe(): { readonly text: string; readonly where?: string };
  /** The run has been given up: finds the calls that the driver has made and not waited in. */
  giveUp(): void;
  /** Takes over what was found up to now. */
  collect(): void;
  /** Calls that the driver has made since a stay of a life began; 0 before that, Infinity once it is over. On threads alone. */
  callsSince(life: number, stay: number): number;
}

/** Follows a driver in this thread. @param lives an instance for each life */
export function followHere(lives: readonly AnyDriver[], options: MonitorOptions, findings: Findings): Followed {
  const monitors: Monitor[] = [];
  const stays: Stay[] = [];
  const begin = (life: number): TestedLife => {
    const monitor = new Monitor(findings, options);
    monitors.push(monitor);
    let own: Stay | undefined;
    return {
      ...{ monitor, driver: lives[Math.min(life, lives.length - 1)] },
      stays: {
        began: (beganNs) => {
          own = { beganNs };
          stays.push(own);
        },
        ended: (endedNs, tooEarly) => {
          Object.assign(own ?? {}, { endedNs, tooEarly });
        },
      },
    };
  };
  return {
    ...{ stays, tested: { begin }, collect: () => {}, callsSince: () => 0 },
    giveUp: () => monitors.at(-1)?.pending.tell(),
    get longest() {
      const [first] = monitors;
      return first === undefined ? NO_JOB : longestOf(first);
    },
    describe: () => {
      const last = monitors.at(-1);
      const waits = last?.describeWaits() ?? [];
      const where = last?.waitPlace?.text;
      const text = waits.length === 0 ? '' : `the driver waits in ${waits.join(', ')}`;
      return { text, ...(where !== undefined && { where }) };
    },
  };
}

const NO_JOB: LongestJob = { ns: 0 };

function longestOf({ longest: { ns, place } }: Monitor): LongestJob {
  const where = place?.text;
  return { ns, ...(where !== undefined && { where }) };
}

/** Follows a driver in the worker of its device. */
export function followInWorker(module: string, options: Omit<MonitorOptions, 'onCall'>, findings: Findings): Followed {
  const memory = testedMemory();
  const reader = new TestedReader(memory);
  const of = <Kind extends TestedRecord['kind']>(kind: Kind) =>
    reader.records().filter((one): one is Extract<TestedRecord, { readonly kind: Kind }> => one.kind === kind);
  return {
    tested: { module, memory, options },
    get stays() {
      return staysOf(reader.records());
    },
    get longest() {
      return of('ended').reduce((most, { longest }) => (longest.ns > most.ns ? longest : most), NO_JOB);
    },
    describe: () => {
      const last = reader.lastCall();
      if (last === undefined) return { text: '' };
      const where = last.where === undefined ? '' : ` at ${last.where}`;
      return {
        text: `the last that the driver called was ${last.call}${where}`,
        ...(last.where !== undefined && { where: last.where }),
      };
    },
    giveUp: () => {},
    collect: () => {
      for (const { finding } of of('found')) findings.take(finding);
      for (const { note } of of('noted')) findings.note(note);
    },
    callsSince: (life, stay) => {
      const records = reader.records();
      const born = records.findIndex((one) => one.kind === 'life' && one.life >= life);
      const since = born < 0 ? [] : records.slice(born);
      const began = since.filter((one) => one.kind === 'began')[stay];
      if (began === undefined) return 0;
      const isOver = since.filter(({ kind }) => kind === 'ended').length > stay;
      return isOver ? Number.POSITIVE_INFINITY : reader.calls - began.calls;
    },
  };
}

function staysOf(records: readonly TestedRecord[]): Stay[] {
  const stays: Stay[] = [];
  for (const record of records) {
    if (record.kind === 'began') stays.push({ beganNs: record.atNs });
    else if (record.kind === 'ended') {
      Object.assign(stays.at(-1) ?? {}, { endedNs: record.atNs, tooEarly: record.tooEarly });
    }
  }
  return stays;
}

/** Here in the worker: one life, which tells at once what is found. */
export function beginInWorker({ memory, options }: TestedModule, driver: AnyDriver, life: number): TestedLife {
  const writer = new TestedWriter(memory);
  writer.tell({ kind: 'life', life });
  const findings = new Findings({
    found: (finding) => writer.tell({ kind: 'found', finding }),
    noted: (note) => writer.tell({ kind: 'noted', note }),
  });
  const monitor = new Monitor(findings, {
    ...options,
    onCall: (call, { text }) => writer.called(call, text),
  });
  return {
    ...{ driver, monitor },
    stays: {
      began: (atNs) => writer.tell({ kind: 'began', atNs, calls: writer.calls }),
      ended: (atNs, tooEarly) => writer.tell({ kind: 'ended', atNs, tooEarly, longest: longestOf(monitor) }),
    },
  };
}

/** Imports a driver in a thread of its own: stacks name the lines of its sources. */
export async function importDriver(module: string): Promise<AnyDriver> {
  process.setSourceMapsEnabled(true);
  return ((await import(module)) as { readonly default: AnyDriver }).default;
}
