import {
  type ConstraintFact,
  type ConstraintField,
  checkMapping,
  type DeviceConstraints,
  dmaSegments,
  lowestIova,
  pageAlignedBytes,
  sharedWindows,
  solvePlacement,
  withoutFields,
} from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import { device, devices, heaps, layoutOf, repeated, sizeBytes } from './arbitraries.js';

const draws = fc.array(fc.nat(), { minLength: 1, maxLength: 24 });
const runs = repeated(1500);

const FIELDS = [
  'dmaMask',
  'addressLimit',
  'physLimit',
  'windows',
  'contiguous',
  'maxSegments',
  'maxSegmentBytes',
  'segmentBoundaryMask',
  'alignmentBytes',
  'iommu.physBits',
  'iommu.iovaBits',
  'iommu.iovaBudgetBytes',
  'iommu.pageSizes',
  'coherency',
  'protected',
  'peerToPeerDistance',
  'heaps',
] as const satisfies readonly ConstraintField[];

function keepOnly(all: readonly DeviceConstraints[], facts: readonly ConstraintFact[]): DeviceConstraints[] {
  return all.map((c) => {
    const kept = facts.filter((fact) => fact.device === c.device).map((fact) => fact.field);
    const dropped = FIELDS.filter((field) => !kept.includes(field));
    return withoutFields(c, dropped);
  });
}

testProp(
  'solvePlacement, never promises what a layout can break, for any heap it calls suitable',
  [devices, heaps, sizeBytes, draws],
  (t, devs, hs, size, d) => {
    const bytes = pageAlignedBytes(size);
    for (const verdict of solvePlacement({ devices: devs, heaps: hs, sizeBytes: size }).candidates) {
      const heap = hs.find((h) => h.name === verdict.heap);
      const shared = devs.some((c) => c.device !== heap?.deviceLocal?.owner);
      const layout = heap && layoutOf(heap, bytes, d, shared ? sharedWindows(heap) : heap.windows);
      if (!verdict.suits || layout === undefined) continue;
      for (const c of devs) {
        if (c.device !== heap?.deviceLocal?.owner) t.is(checkMapping(layout, c), undefined, c.device);
      }
    }
    t.pass();
  },
  runs,
);

testProp(
  'solvePlacement, bounds the segments of every device, for any layout of the heap it chose',
  [devices, heaps, sizeBytes, draws],
  (t, devs, hs, size, d) => {
    const result = solvePlacement({ devices: devs, heaps: hs, sizeBytes: size });
    if (result.status === 'unsatisfiable') return t.pass();
    const heap = hs.find((h) => h.name === result.heap);
    const layout = heap && layoutOf(heap, result.sizeBytes, d, result.visible ? sharedWindows(heap) : heap.windows);
    if (layout === undefined) return t.pass();
    t.true(result.startRanges.some((range) => range.first <= layout[0].address && layout[0].address <= range.last));
    for (const [index, c] of devs.toSorted((x, y) => (x.device < y.device ? -1 : 1)).entries()) {
      if (c.device === heap?.deviceLocal?.owner) continue;
      t.true(dmaSegments(layout, c).length <= result.explanation.segments[index].segments, c.device);
    }
  },
  runs,
);

testProp(
  'solvePlacement, gives the same answer, whatever the order of the devices',
  [devices, heaps, sizeBytes],
  (t, devs, hs, size) => {
    const result = solvePlacement({ devices: devs, heaps: hs, sizeBytes: size });
    t.deepEqual(solvePlacement({ devices: devs.toReversed(), heaps: hs, sizeBytes: size }), result);
  },
  repeated(300),
);

testProp(
  'solvePlacement, names a conflict that is one and is minimal, when no heap suits',
  [devices, heaps, sizeBytes],
  (t, devs, hs, size) => {
    const statusOf = (some: readonly DeviceConstraints[]): string =>
      solvePlacement({ devices: some, heaps: hs, sizeBytes: size }).status;
    const result = solvePlacement({ devices: devs, heaps: hs, sizeBytes: size });
    if (result.status === 'placed') return t.pass();
    for (const conflict of result.conflicts) {
      t.is(statusOf(keepOnly(devs, conflict)), 'unsatisfiable');
      for (const fact of conflict) {
        const fewer = conflict.filter((other) => other !== fact);
        t.is(statusOf(keepOnly(devs, fewer)), 'placed', `${fact.device}.${fact.field} is needed`);
      }
    }
    for (const out of result.waysOut) {
      const rest = devs.map((c) =>
        withoutFields(
          c,
          out.filter((f) => f.device === c.device).map((f) => f.field),
        ),
      );
      t.is(statusOf(rest), 'placed', 'a way out is one');
    }
    for (const names of result.conflictingDevices) {
      t.is(statusOf(devs.filter((c) => names.includes(c.device))), 'unsatisfiable');
      for (const name of names) {
        const others = devs.filter((c) => names.includes(c.device) && c.device !== name);
        t.is(statusOf(others), 'placed', `${name} is needed`);
      }
    }
  },
  runs,
);

testProp(
  'solvePlacement, never finds a cheaper heap, when a device joins',
  [devices, device, heaps, sizeBytes],
  (t, devs, newcomer, hs, size) => {
    const before = solvePlacement({ devices: devs, heaps: hs, sizeBytes: size });
    const after = solvePlacement({ devices: [...devs, newcomer], heaps: hs, sizeBytes: size });
    const suits = (result: typeof before): string[] => result.candidates.filter((v) => v.suits).map((v) => v.heap);
    t.true(suits(after).every((heap) => suits(before).includes(heap)));
  },
  repeated(500),
);

testProp(
  'solvePlacement, never needs one run of pages, for devices behind an IOMMU',
  [devices, sizeBytes],
  (t, devs, size) => {
    const translated = devs.flatMap((c) =>
      c.iommu === undefined ? [] : [{ ...c, heaps: undefined, iommu: { iovaBits: c.iommu.iovaBits } }],
    );
    const windows = [{ base: 0, sizeBytes: 2 ** 33 }];
    const system = { name: 'system', windows, contiguous: false, alignmentBytes: 4096, cost: 0 };
    const cma = { ...system, name: 'cma', contiguous: true, cost: 2 };
    const result = solvePlacement({ devices: translated, heaps: [system, cma], sizeBytes: size });
    t.is(result.candidates[0].suits, result.candidates[1].suits, 'cma suits only where system does');
  },
  repeated(500),
);

testProp(
  'lowestIova, gives a start at which the mapping holds, where the solver finds one heap',
  [device, sizeBytes],
  (t, c, size) => {
    const start = lowestIova(c, pageAlignedBytes(size));
    if (start === undefined) return t.pass();
    const run = { address: 0, lengthBytes: pageAlignedBytes(size) };
    t.is(checkMapping([run], { ...c, maxSegments: undefined }, start), undefined);
  },
  repeated(500),
);
