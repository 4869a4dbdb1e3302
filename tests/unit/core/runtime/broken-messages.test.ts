import { actorId } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  type BrokenMessages,
  RUNTIME_WORDS,
  type RunSpec,
  ThreadsRuntime,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { BrokenMessagesStart } from './programs/broken-messages.js';

async function run(
  runtime: 'threads' | 'virtual',
  calls: BrokenMessagesStart['calls'],
  raw: readonly unknown[] = [],
): Promise<{ answers: unknown; records: readonly BrokenMessages[] }> {
  const module = new URL('./programs/broken-messages.js', import.meta.url).href;
  const roles = ['server', 'client'] as const;
  const spec: RunSpec = {
    actors: roles.map((role, i) => {
      const data: BrokenMessagesStart = { role, raw, calls };
      return { name: role, id: actorId(i + 1), module, calls: role === 'client' ? ['server'] : [], data };
    }),
    memory: PhysicalMemory.create([{ name: 'dram', base: 0, sizeBytes: 65_536 }]).handle,
    controlBytes: RUNTIME_WORDS * 4,
    seed: 1,
    trace: false,
  };
  const started =
    runtime === 'threads' ? new ThreadsRuntime(spec, { pace: 'real' }) : new VirtualRuntime(spec, { ties: 'fifo' });
  const [server, client] = (await started.run()).outcomes.map(({ report }) => report);
  return { answers: client, records: server as readonly BrokenMessages[] };
}

for (const runtime of ['virtual', 'threads'] as const) {
  test(`${runtime}: broken calls, and services that fall over, are answered, and the server lives on`, async (t) => {
    const { answers, records } = await run(runtime, [
      ['half', 8],
      ['half', 'eight'],
      ['half', undefined],
      ['third', 9],
      ['__proto__', 9],
      ['toString', 9],
      ['half', -1],
      ['half', 10],
    ]);
    t.deepEqual(answers, [4, 'EPROTO', 'EPROTO', 'EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP', 'TypeError', 5]);
    t.like(records, [{ actor: 'client', count: 5, reason: 'half: args: expected a number, got string', unread: 0 }]);
  });

  test(`${runtime}: a sender of eight broken calls is quarantined`, async (t) => {
    const eight = Array.from({ length: 8 }, (): [string, unknown] => ['third', 9]);
    const { answers, records } = await run(runtime, [...eight, ['half', 8], ['third', 9]]);
    t.deepEqual((answers as string[]).slice(8), ['EPROTO', 'EPROTO']);
    t.like(records, [{ actor: 'client', count: 8, unread: 2 }]);
  });
}

/** Each would set something, hang, or end the worker, if Comlink saw it. */
const GARBAGE: readonly unknown[] = [
  null,
  42,
  'APPLY',
  [],
  { id: '1', type: 'APPLY', path: ['call'], argumentList: 5 },
  { id: '1', type: 'APPLY', path: ['call'], argumentList: [null, null] },
  { id: '1', type: 'APPLY', path: ['call'], argumentList: [{ type: 'HANDLER', name: 'none' }, { type: 'RAW' }] },
  { id: '1', type: 'APPLY', path: ['call'], argumentList: [{ type: 'RAW', value: 7 }, { type: 'RAW' }] },
  { id: '1', type: 'APPLY', path: ['constructor', 'constructor'], argumentList: [] },
  { id: '1', type: 'SET', path: ['__proto__', 'polluted'], value: { type: 'RAW', value: true } },
  { id: '1', type: 'SET', path: ['call'], value: { type: 'RAW', value: true } },
  { id: '1', type: 'ENDPOINT', path: [] },
  { id: '1', type: 'CONSTRUCT', path: ['call'], argumentList: [] },
];

for (const [i, garbage] of GARBAGE.entries()) {
  test(`threads: garbage ${i} on the raw port is counted and Comlink never sees it`, async (t) => {
    const { answers, records } = await run('threads', [['half', 8]], [garbage, garbage, garbage]);
    t.deepEqual(answers, [4]);
    t.like(records, [{ actor: 'client', count: 3 }]);
  });
}

test('threads: a sender of eight pieces of garbage is quarantined; that Comlink lets go of a port is none', async (t) => {
  const { answers, records } = await run(
    'threads',
    [['half', 8]],
    [...Array(8).fill(null), { id: '1', type: 'RELEASE' }],
  );
  t.deepEqual(answers, ['EPROTO']);
  t.like(records, [{ actor: 'client', count: 8, unread: 1 }]);
});
