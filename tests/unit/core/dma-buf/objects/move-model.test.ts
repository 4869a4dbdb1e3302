/** Random programs of importers, a mover and the CPU on one movable buffer, against a model that only counts. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  DmaBufCaller,
  mapAttachmentUnlocked,
  type ObjectAttachment,
  type ObjectMapping,
  pinUnlocked,
  unmapAttachmentUnlocked,
  unpinUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import type { SgTable } from '@dmabuf-lab/core/memory';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import type { ExecutionContext } from 'ava';
import type { Running } from '../../sync/fences/bench-fences.js';
import { MovableBench } from './movable-bench.js';

const DEVICES = 4;

const operation = fc.oneof(
  fc.record({
    what: fc.constantFrom('attach', 'detach', 'map', 'unmap', 'pin', 'unpin', 'touch'),
    device: fc.nat(DEVICES - 1),
  }),
  fc.record({ what: fc.constantFrom('begin', 'end', 'move', 'write'), device: fc.constant(0) }),
  fc.record({ what: fc.constantFrom('job', 'signal'), device: fc.nat(DEVICES - 1) }),
);
type Operation = { readonly what: string; readonly device: number };

/** A device of the model: even ones follow moves, odd ones do not. */
class ModelDevice {
  attachment: ObjectAttachment<SgTable> | undefined;
  readonly mappings: ObjectMapping<SgTable>[] = [];
  pins = 0;
  readonly caller: DmaBufCaller;

  constructor(readonly number: number) {
    this.caller = new DmaBufCaller(`device ${number}`);
  }

  get isDynamic(): boolean {
    return this.number % 2 === 0;
  }
}

/** The real thing and the counts that have to agree with it. */
class Program {
  readonly bench = new MovableBench({ mode: 'strict' });
  readonly devices = Array.from({ length: DEVICES }, (_, number) => new ModelDevice(number));
  readonly cpu = new DmaBufCaller('cpu');
  readonly pending: { signal(): void }[] = [];
  accesses = 0;
  moves = 0;
  /** What the first byte holds. */
  value = 0;

  constructor(private readonly t: ExecutionContext) {}

  /** Whether the model says that a move can be made now, and why not. */
  get obstacle(): 'EBUSY' | 'waits' | undefined {
    if (this.accesses > 0) return 'waits';
    if (this.devices.some(({ isDynamic, mappings, pins }) => pins > 0 || (!isDynamic && mappings.length > 0))) {
      return 'EBUSY';
    }
    if (this.pending.length > 0 && this.bench.exporter.storage !== undefined) return 'waits';
    return undefined;
  }

  run<T>(task: Task<T>): T {
    const running = this.start(task);
    if (running.error !== undefined) throw running.error;
    if (!running.done) throw new Error('the task waits');
    return running.value as T;
  }

  start<T>(task: Task<T>): Running<T> {
    const running = this.bench.runner.start(task);
    this.bench.runner.run();
    return running;
  }

  step({ what, device }: Operation): void {
    this.#buffered(what);
    this.#device(what, this.devices[device]);
    this.#check();
  }

  #buffered(what: string): void {
    const { buffer } = this.bench;
    if (what === 'begin') {
      if (this.pending.length > 0) return; // it would wait
      this.run(buffer.beginCpuAccess(this.cpu, 'bidirectional'));
      this.accesses += 1;
    } else if (what === 'end' && this.accesses > 0) {
      buffer.endCpuAccess(this.cpu, 'bidirectional');
      this.accesses -= 1;
    } else if (what === 'signal') this.pending.pop()?.signal();
    else if (what === 'move') this.#move();
    else if (what === 'write') this.#write();
  }

  #device(what: string, device: ModelDevice): void {
    const { attachment, mappings, caller } = device;
    const { buffer } = this.bench;
    if (what === 'attach' && attachment === undefined) device.attachment = this.#attach(device);
    if (attachment === undefined) return;
    if (what === 'detach') this.#detach(device, attachment);
    if (what === 'map') mappings.push(this.run(mapAttachmentUnlocked(caller, attachment, 'bidirectional')));
    if (what === 'unmap' && mappings.length > 0) {
      this.run(unmapAttachmentUnlocked(caller, mappings.shift() as ObjectMapping<SgTable>));
    }
    if (what === 'pin' && device.isDynamic) {
      this.run(pinUnlocked(caller, attachment));
      device.pins += 1;
    }
    if (what === 'unpin' && device.pins > 0) {
      this.run(unpinUnlocked(caller, attachment));
      device.pins -= 1;
    }
    if (what === 'touch') this.#touch(device);
    if (what === 'job' && mappings.some(({ state }) => state === 'mapped')) {
      this.pending.push(this.bench.addFence(caller, ResvUsage.Read));
    }
    this.t.is(buffer.reservation.mutex.isLocked, false);
  }

  #attach(device: ModelDevice): ObjectAttachment<SgTable> {
    const { buffer } = this.bench;
    const { caller } = device;
    if (!device.isDynamic) return buffer.attach(caller, caller.name);
    return buffer.dynamicAttach(caller, caller.name, { moveNotify: () => {} });
  }

  #detach(device: ModelDevice, attachment: ObjectAttachment<SgTable>): void {
    const detach = (): void => this.bench.buffer.detach(device.caller, attachment);
    if (device.mappings.length > 0 || device.pins > 0) {
      this.t.throws(detach, { code: 'EBUSY' });
      return;
    }
    detach();
    device.attachment = undefined;
  }

  #touch({ mappings }: ModelDevice): void {
    for (const mapping of mappings) {
      if (mapping.state === 'void') this.t.throws(() => mapping.touch('read'), { code: 'EFAULT' });
      else this.t.is(this.bench.exporter.storage, mapping.touch('read'));
    }
  }

  #write(): void {
    const page = this.bench.exporter.page(0);
    this.value = (this.value + 1) % 256;
    if (page !== undefined) page[0] = this.value;
  }

  #move(): void {
    const { obstacle, bench } = this;
    const { clock } = bench.fences;
    const hadStorage = bench.exporter.storage !== undefined;
    const limit = { untilNs: clock.now() + 10, alarm: clock.alarm };
    const running = this.start(bench.exporter.move(bench.mover, bench.table(), { limit }));
    if (obstacle === 'waits') {
      this.t.false(running.done);
      clock.moveTo(limit.untilNs);
      bench.runner.run();
      this.t.like(running.error, { code: 'ETIMEDOUT' });
    } else if (obstacle === 'EBUSY') this.t.like(running.error, { code: 'EBUSY' });
    else {
      this.t.is(running.error, undefined);
      if (hadStorage) this.moves += 1;
      if (hadStorage)
        for (const { mappings } of this.devices) for (const { state } of mappings) this.t.is(state, 'void');
    }
    this.t.is(clock.alarms, 0);
  }

  #check(): void {
    const { t, bench, devices } = this;
    const { buffer, exporter } = bench;
    t.is(exporter.generation, this.moves);
    t.is(bench.freed.length, this.moves);
    t.is(buffer.attachments.size, devices.filter(({ attachment }) => attachment !== undefined).length);
    t.is(buffer.mappings.size, sum(devices.map(({ mappings }) => mappings.length)));
    const pinned = devices.map(({ isDynamic, mappings, pins }) => pins + (isDynamic ? 0 : mappings.length));
    t.is(buffer.pinnedBy.length, sum(pinned));
    t.is(buffer.cpuAccesses.length, this.accesses);
    t.false(buffer.reservation.mutex.isLocked);
    if (this.value !== 0) t.is(exporter.page(0)?.[0], this.value);
  }

  /** Lets go of everything; then nothing is left. */
  finish(): void {
    const { bench, t } = this;
    for (const fence of this.pending.splice(0)) fence.signal();
    for (; this.accesses > 0; this.accesses -= 1) bench.buffer.endCpuAccess(this.cpu, 'bidirectional');
    for (const device of this.devices) {
      const { attachment, caller, mappings } = device;
      if (attachment === undefined) continue;
      for (const mapping of mappings) this.run(unmapAttachmentUnlocked(caller, mapping));
      for (; device.pins > 0; device.pins -= 1) this.run(unpinUnlocked(caller, attachment));
      bench.buffer.detach(caller, attachment);
    }
    const hadStorage = bench.exporter.storage !== undefined;
    bench.buffer.put(this.cpu);
    t.is(bench.freed.length, this.moves + (hadStorage ? 1 : 0));
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

testProp(
  'MovableExporter, under any program of importers, mover and CPU, moves when the model says so and loses nothing',
  [fc.array(operation, { minLength: 10, maxLength: 60, size: 'max' })],
  (t, operations) => {
    const program = new Program(t);
    for (const each of operations) program.step(each);
    program.finish();
  },
  { numRuns: 300 },
);
