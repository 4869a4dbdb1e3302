import { BoundedList, bufferSlot, MAX_RECORDS } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { ExportedBuffer, ExporterRecords } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { TableTop } from './table-top.js';

/** A journal as its lives find it: plain lists by kind. */
class Kept {
  readonly lists = new Map<string, { items: unknown[]; dropped: number }>();

  readonly append = <T>(kind: string, list: BoundedList<T>, record: T): void => {
    list.add(record);
    this.lists.set(kind, { items: structuredClone([...list.items]), dropped: list.dropped });
  };

  readonly restore = <T>(kind: string): BoundedList<T> => {
    const list = new BoundedList<T>();
    const { items = [], dropped = 0 } = this.lists.get(kind) ?? {};
    for (const item of items) list.add(item as T);
    list.dropped = dropped;
    return list;
  };
}

const request = {
  name: 'a',
  pool: 'p',
  sizeBytes: 4096,
  allocate: 'deferred',
  expect: [],
  expectTimeoutNs: 0,
} as const;
const { system } = new TableTop();
const buffer = new ExportedBuffer(bufferSlot(0), 1, request, 4096);
buffer.allocation = system.allocate(4096, { zero: true });
const traits = system.traits();
const [{ address, lengthBytes }] = buffer.allocation.sgTable.runs;
/** Reaches these pages of the heap, and not all others. */
const lucky = (device: string): DeviceConstraints => ({ device, addressLimit: address + lengthBytes - 1 });

test('ExporterRecords.look, a hazard of a buffer is told once, in all lives of the exporter', (t) => {
  const kept = new Kept();
  const records = new ExporterRecords(kept);
  records.look(buffer, traits, [lucky('display')], 5);
  records.look(buffer, traits, [lucky('display'), lucky('encoder')], 7);
  const told = records.hazards.map(({ device, atNs }) => [device, atNs]);
  t.deepEqual(told, [
    ['display', 5],
    ['encoder', 7],
  ]);
  const next = new ExporterRecords(kept);
  next.look(buffer, traits, [lucky('display'), lucky('encoder'), lucky('gpu')], 9);
  t.deepEqual(
    next.hazards.map(({ device, atNs }) => [device, atNs]),
    [...told, ['gpu', 9]],
  );
});

test('ExporterRecords.look, hazards that do not fit, are counted once each', (t) => {
  const records = new ExporterRecords(new Kept());
  const devices = Array.from({ length: MAX_RECORDS + 5 }, (_, i) => lucky(`device ${i}`));
  records.look(buffer, traits, devices, 1);
  records.look(buffer, traits, devices, 2);
  t.is(records.hazards.length, MAX_RECORDS);
  t.is(records.dropped.hazards, 5);
});
