import {
  type DmaBufRulesOptions,
  type FindingKind,
  mapAttachmentUnlocked,
  type ObjectMapping,
  pinUnlocked,
  unmapAttachmentUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { follower, ObjectBench, type Table } from './object-bench.js';

/** A violation that Linux does not refuse: how it is made, what strict mode says, and what the exporter sees of it in Linux. */
interface Violation {
  readonly kind: FindingKind;
  readonly code: string;
  readonly names: RegExp;
  /** @returns the call that violates */
  readonly stage: (bench: ObjectBench) => () => void;
  readonly log: readonly string[];
}

const mapped = (bench: ObjectBench, isDynamic = false): ObjectMapping<Table> => {
  const { buffer, caller } = bench;
  const attachment = isDynamic ? buffer.dynamicAttach(caller, 'gpu', follower()) : buffer.attach(caller, 'gpu');
  return bench.run(mapAttachmentUnlocked(caller, attachment, 'to-device'));
};

const VIOLATIONS: readonly Violation[] = [
  {
    kind: 'detach-foreign',
    code: 'EINVAL',
    names: /Cannot detach gpu from frame: it is not attached/,
    stage: ({ buffer, caller }) => {
      const attachment = buffer.attach(caller, 'gpu');
      buffer.detach(caller, attachment);
      return () => buffer.detach(caller, attachment);
    },
    log: [],
  },
  {
    kind: 'detach-while-mapped',
    code: 'EBUSY',
    names: /Cannot detach gpu from frame: it is mapped \(gpu mapping 1 \(to-device\)\)/,
    stage: (bench) => {
      const { attachment } = mapped(bench);
      return () => bench.buffer.detach(bench.caller, attachment);
    },
    log: ['detach'],
  },
  {
    kind: 'detach-while-pinned',
    code: 'EBUSY',
    names: /it holds 1 pins/,
    stage: (bench) => {
      const attachment = bench.buffer.dynamicAttach(bench.caller, 'display', follower());
      bench.run(pinUnlocked(bench.caller, attachment));
      return () => bench.buffer.detach(bench.caller, attachment);
    },
    log: ['detach'],
  },
  {
    kind: 'pin-by-static-importer',
    code: 'EINVAL',
    names: /does not follow moves/,
    stage: (bench) => {
      const attachment = bench.buffer.attach(bench.caller, 'camera');
      return () => bench.run(pinUnlocked(bench.caller, attachment));
    },
    log: ['pin'],
  },
  {
    kind: 'unpin-unbalanced',
    code: 'EINVAL',
    names: /it has no pin/,
    stage: (bench) => {
      const attachment = bench.buffer.dynamicAttach(bench.caller, 'display', follower());
      return () => bench.locked(() => bench.buffer.unpin(bench.caller, attachment));
    },
    log: [],
  },
  {
    kind: 'unmap-other-direction',
    code: 'EINVAL',
    names: /Cannot unmap gpu mapping 1 \(to-device\) of frame: it is unmapped as from-device/,
    stage: (bench) => {
      const mapping = mapped(bench);
      return () => bench.run(unmapAttachmentUnlocked(bench.caller, mapping, 'from-device'));
    },
    log: ['unmap from-device', 'unpin'],
  },
  {
    kind: 'unmap-twice',
    code: 'EINVAL',
    names: /it is unmapped/,
    stage: (bench) => {
      const mapping = mapped(bench);
      bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
      return () => bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
    },
    log: [],
  },
  {
    kind: 'touch-after-unmap',
    code: 'EFAULT',
    names: /Cannot touch frame through gpu mapping 1 \(to-device\): it is unmapped/,
    stage: (bench) => {
      const mapping = mapped(bench);
      bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
      return () => mapping.touch('read');
    },
    log: [],
  },
  {
    kind: 'touch-after-move',
    code: 'EFAULT',
    names: /the storage has moved/,
    stage: (bench) => {
      const mapping = mapped(bench, true);
      bench.locked(() => {
        bench.buffer.moveNotify(bench.caller);
        bench.buffer.voidInvalidatedMappings();
      });
      return () => mapping.touch('read');
    },
    log: [],
  },
  {
    kind: 'touch-before-kernel-fence',
    code: 'EAGAIN',
    names: /a fence of KERNEL is pending/,
    stage: (bench) => {
      const mapping = mapped(bench, true);
      bench.addFence(ResvUsage.Kernel);
      return () => mapping.touch('read');
    },
    log: [],
  },
  {
    kind: 'cpu-access-unbalanced',
    code: 'EINVAL',
    names: /Cannot end a to-device CPU access of frame: open are driver \(from-device\)/,
    stage: (bench) => {
      bench.run(bench.buffer.beginCpuAccess(bench.caller, 'from-device'));
      return () => bench.buffer.endCpuAccess(bench.caller, 'to-device');
    },
    log: ['end to-device'],
  },
  {
    kind: 'release-while-attached',
    code: 'EBUSY',
    names: /Cannot release frame: still attached are gpu \(1 mappings\)/,
    stage: (bench) => {
      mapped(bench);
      return () => bench.buffer.put(bench.caller);
    },
    log: ['release'],
  },
  {
    kind: 'cpu-access-open-at-release',
    code: 'EBUSY',
    names: /CPU accesses are open: driver \(bidirectional\)/,
    stage: (bench) => {
      bench.run(bench.buffer.beginCpuAccess(bench.caller, 'bidirectional'));
      return () => bench.buffer.put(bench.caller);
    },
    log: ['release'],
  },
];

/** Makes a violation; what the exporter saw before does not count. */
function stage({ stage: make }: Violation, options: DmaBufRulesOptions): { bench: ObjectBench; violate: () => void } {
  const bench = new ObjectBench(options);
  const violate = make(bench);
  bench.ops.log.length = 0;
  return { bench, violate };
}

for (const violation of VIOLATIONS) {
  const { kind, code, names, log } = violation;

  test(`${kind}, like Linux, goes on and is kept with its place`, (t) => {
    const { bench, violate } = stage(violation, { mode: 'like-linux' });
    t.deepEqual(bench.kinds, [], 'nothing was wrong before');
    t.notThrows(violate);
    t.deepEqual(bench.kinds, [kind]);
    t.deepEqual(bench.ops.log, log);
    t.regex(bench.rules.findings[0].message, names);
    t.is(bench.rules.findings[0].buffer, 'frame');
  });

  test(`${kind}, in strict mode, is ${code} and reaches no exporter`, (t) => {
    const { bench, violate } = stage(violation, { mode: 'strict' });
    const error = t.throws(violate, { code, message: names });
    t.like(error, { details: { kind, buffer: 'frame' } });
    t.deepEqual(bench.ops.log, []);
    t.deepEqual(bench.kinds, [kind]);
  });
}

test('detach-while-mapped, in strict mode, leaves the attachment as it was', (t) => {
  const bench = new ObjectBench({ mode: 'strict' });
  const mapping = mapped(bench);
  t.throws(() => bench.buffer.detach(bench.caller, mapping.attachment), { code: 'EBUSY' });
  t.true(bench.buffer.attachments.has(mapping.attachment));
  bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
  t.notThrows(() => bench.buffer.detach(bench.caller, mapping.attachment));
  t.notThrows(() => bench.buffer.put(bench.caller));
});

test('unmap-after-detach, like Linux, still reaches the exporter; the pin is given back', (t) => {
  const bench = new ObjectBench();
  const mapping = mapped(bench);
  bench.buffer.detach(bench.caller, mapping.attachment);
  bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
  t.deepEqual(bench.kinds, ['detach-while-mapped', 'unmap-after-detach']);
  t.deepEqual(bench.buffer.pinnedBy, []);
});

test('detach-while-pinned, like Linux, leaves the storage pinned', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'display', follower());
  bench.run(pinUnlocked(bench.caller, attachment));
  bench.buffer.detach(bench.caller, attachment);
  t.deepEqual(bench.buffer.pinnedBy, ['display (pinned)']);
});

test('detach-foreign, of another buffer, names that buffer', (t) => {
  const bench = new ObjectBench();
  const other = new ObjectBench();
  const attachment = other.buffer.attach(other.caller, 'gpu');
  bench.buffer.detach(bench.caller, attachment);
  t.deepEqual(bench.kinds, ['detach-foreign']);
  t.true(other.buffer.attachments.has(attachment));
});

test('DmaBufObject, used as documented, has no findings in either mode', (t) => {
  for (const mode of ['like-linux', 'strict'] as const) {
    const bench = new ObjectBench({ mode });
    const { buffer, caller } = bench;
    const mapping = mapped(bench);
    mapping.touch('read');
    bench.run(buffer.beginCpuAccess(caller, 'bidirectional'));
    buffer.endCpuAccess(caller, 'bidirectional');
    bench.run(unmapAttachmentUnlocked(caller, mapping, 'to-device'));
    buffer.detach(caller, mapping.attachment);
    buffer.put(caller);
    t.deepEqual(bench.kinds, []);
  }
});
