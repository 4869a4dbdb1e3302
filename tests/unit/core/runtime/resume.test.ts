/** Actors that resume: their journal outlives them, and whoever calls them waits. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { actorId } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  type Fault,
  RUNTIME_WORDS,
  type RunReport,
  type RunSpec,
  type Supervision,
  ThreadsRuntime,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { CallerReport, KeeperReport, Part } from './programs/keeper.js';

const MS = 1_000_000;
const RESTART = {
  strategy: 'one-for-all',
  restarts: 100,
  withinNs: 60e9,
  backoffNs: 2 * MS,
  maxBackoffNs: 2 * MS,
} as const;
const kill = (actor: string, ms: number): Fault => ({ kind: 'kill', actor, atNs: ms * MS });

function specOf(actors: Readonly<Record<string, Part>>, faults: readonly Fault[], restart = true): RunSpec {
  const memory = PhysicalMemory.create([{ name: 'dram', base: 0, sizeBytes: 65_536 }]);
  const supervision: Supervision = { lateNs: 600e9, hungNs: 600e9, ...(restart && { restart: RESTART }) };
  return {
    actors: Object.entries(actors).map(([name, data], i) => ({
      name,
      id: actorId(i + 1),
      module: new URL('./programs/keeper.js', import.meta.url).href,
      calls: data.part === 'caller' ? ['keeper'] : [],
      data,
      ...(data.part === 'keeper' && { supervised: false, reclaims: true, resumes: true }),
    })),
    memory: memory.handle,
    controlBytes: RUNTIME_WORDS * 4,
    seed: 1,
    trace: false,
    faults,
    supervision,
  };
}
const RUNTIMES: Readonly<Record<string, (spec: RunSpec) => Promise<RunReport>>> = {
  virtual: (spec) => new VirtualRuntime(spec, { ties: 'fifo' }).run(),
  threads: (spec) => new ThreadsRuntime(spec, { pace: 'real' }).run(),
};
const reportOf = <T>(report: RunReport, name: string): T =>
  report.outcomes.find((one) => one.name === name)?.report as T;
const kinds = ({ incidents }: RunReport): string[] => incidents.map(({ kind, actor }) => `${actor} ${kind}`);

for (const [name, run] of Object.entries(RUNTIMES)) {
  // A worker takes its time to start: on threads all is ten times slower.
  const scale = name === 'threads' ? 10 : 1;
  test(`${name}, an actor that resumes, goes on from its journal, and every call is answered`, async (t) => {
    const calls = 40;
    const report = await run(
      specOf({ keeper: { part: 'keeper' }, caller: { part: 'caller', calls, everyNs: scale * 5 * MS } }, [
        kill('keeper', scale * 20.5),
        kill('keeper', scale * 70),
        kill('keeper', scale * 120.5),
      ]),
    );
    const { answers } = reportOf<CallerReport>(report, 'caller');
    const { life, count, deaths } = reportOf<KeeperReport>(report, 'keeper');
    t.is(life, 3);
    t.deepEqual(deaths, []);
    t.is(answers.length, calls);
    // A call that was under way at a death is served twice: so it counts twice, and nothing is ever forgotten.
    t.true(count >= calls && count <= calls + 3, `${count}`);
    t.deepEqual(
      answers,
      [...new Set(answers)].sort((a, b) => a - b),
    );
    t.is(answers.at(-1), count);
    const one = ['keeper died', 'keeper reclaimed', 'keeper restarted'];
    t.deepEqual(kinds(report), [...one, ...one, ...one]);
  });

  test(`${name}, an actor that dies while the one that reclaims is dead, is reclaimed by its next life, and comes back then`, async (t) => {
    const actors: Record<string, Part> = { keeper: { part: 'keeper' }, mortal: { part: 'mortal', untilNs: 150 * MS } };
    const report = await run(specOf(actors, [kill('keeper', 50), { ...kill('mortal', 50) }]));
    t.deepEqual(reportOf<KeeperReport>(report, 'keeper'), { life: 1, count: 0, deaths: ['mortal 1'] });
    t.is(reportOf<number>(report, 'mortal'), 1);
    const order = kinds(report);
    t.true(order.indexOf('keeper restarted') < order.indexOf('mortal reclaimed'), order.join(', '));
    t.true(order.indexOf('mortal reclaimed') < order.indexOf('mortal restarted'), order.join(', '));
  });

  test(`${name}, a call to an actor that is dead for good, fails with ENODEV, as one that waited does`, async (t) => {
    const actors: Record<string, Part> = {
      keeper: { part: 'keeper' },
      caller: { part: 'caller', calls: 3, everyNs: scale * 50 * MS },
    };
    const report = await run(specOf(actors, [kill('keeper', scale * 75)], false));
    t.deepEqual(reportOf<CallerReport>(report, 'caller').answers, [1, -1, -1]);
  });
}

test('virtual, an actor that resumes and dies again in its set-up, has lost no call that came meanwhile', async (t) => {
  const actors: Record<string, Part> = {
    keeper: { part: 'keeper', setUpNs: 10 * MS },
    caller: { part: 'caller', calls: 10, everyNs: 5 * MS },
  };
  const report = await RUNTIMES.virtual(specOf(actors, [kill('keeper', 20.5), kill('keeper', 28)]));
  t.is(reportOf<KeeperReport>(report, 'keeper').life, 2);
  t.is(reportOf<CallerReport>(report, 'caller').answers.length, 10);
});

test('a worker that is terminated, has every message that it posted delivered before its exit', async (t) => {
  // What the journal of the threads runtime rests on; a behaviour of Node.
  for (let i = 0; i < 20; i += 1) {
    const posted = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(fileURLToPath(new URL('./programs/poster.js', import.meta.url)), { workerData: posted });
    let last = 0;
    await new Promise<void>((resolve) => {
      worker.on('message', (message: number) => {
        last = message;
        if (message > 1) resolve(); // the first is stored by then
      });
    });
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    void worker.terminate();
    await exited;
    t.true(Atomics.load(posted, 0) > 0);
    t.true(last >= Atomics.load(posted, 0), `${last} of ${Atomics.load(posted, 0)}`);
  }
});
