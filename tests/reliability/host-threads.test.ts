/** Row 26: a host that has no room for so many workers, or no thread left, ends a run with an error and leaves none behind. */
import { Worker } from 'node:worker_threads';
import {
  bytesLeft,
  checkRoomForWorkers,
  type HostThreads,
  type RunSpec,
  ThreadsRuntime,
} from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from '../unit/core/runtime/programs/scripted.js';
import { logs, scriptedSpec } from '../unit/core/runtime/scripted-run.js';

const MiB = 2 ** 20;
const LOG: readonly Step[] = [{ do: 'log', text: 'was here' }];
const THREE = { camera: LOG, gpu: LOG, display: LOG };

/** The real host, of which one start is another's. */
class CountingHost implements HostThreads {
  readonly exits: Promise<void>[] = [];
  starts = 0;

  constructor(
    readonly availableBytes: () => number,
    private readonly failing: number,
    private readonly fail: HostThreads['start'] = () => {
      throw Object.assign(new Error('the stub has no thread'), { code: 'ERR_WORKER_INIT_FAILED' }); // as Node does
    },
  ) {}

  readonly start: HostThreads['start'] = (module, options) => {
    this.starts += 1;
    const worker = this.starts === this.failing ? this.fail(module, options) : new Worker(module, options);
    this.exits.push(new Promise((resolve) => worker.once('exit', () => resolve())));
    return worker;
  };
}

const enough = (): number => 1024 * MiB;

test('row 26: three workers where there is room for two, are refused with both numbers before one has started', (t) => {
  const host = new CountingHost(() => 23 * MiB, 0);
  t.throws(() => new ThreadsRuntime(scriptedSpec(THREE), { pace: 'real', host }), {
    code: 'ENOMEM',
    message:
      'Cannot start 3 workers: each takes 8 MiB, and 23 MiB are left; expected at most 2, got 3 ' +
      '(fewer devices, or runtime virtual, which has no workers)',
  } as object);
  t.is(host.starts, 0);
  t.notThrows(
    () => new ThreadsRuntime(scriptedSpec(THREE), { pace: 'real', host: new CountingHost(() => 24 * MiB, 0) }),
  );
});

test('row 26: a host that cannot tell how much memory is left, refuses nobody', (t) => {
  t.notThrows(() => checkRoomForWorkers(16, { availableBytes: () => 0 }));
});

test('row 26: the page cache of a container is not taken for memory in use', (t) => {
  const none = { constrained: 0, total: 8192 * MiB, free: 4096 * MiB, rss: 60 * MiB };
  const limited = { ...none, constrained: 512 * MiB };
  t.is(bytesLeft({ ...none, available: 4096 * MiB }), 4096 * MiB);
  t.is(bytesLeft({ ...none, constrained: 2 ** 64, available: 20 * MiB }), 20 * MiB); // no limit, as libuv tells it
  t.is(bytesLeft({ ...limited, available: 5 * MiB }), 452 * MiB); // the cache fills the limit
  t.is(bytesLeft({ ...limited, free: 100 * MiB, available: 5 * MiB }), 100 * MiB);
  t.is(bytesLeft({ ...limited, rss: 510 * MiB, available: 5 * MiB }), 5 * MiB);
  t.is(bytesLeft({ ...limited, available: 0 }), 0); // full, or not to be read: not known
});

test('row 26: a host without a thread for the second actor, ends the run with EAGAIN; the first is gone, and a later run goes well', async (t) => {
  const host = new CountingHost(enough, 2);
  const spec = scriptedSpec(THREE);
  await t.throwsAsync(new ThreadsRuntime(spec, { pace: 'real', host }).run(), {
    code: 'EAGAIN',
    message: 'Cannot start a thread for gpu: the stub has no thread',
  } as object);
  t.is(host.exits.length, 1);
  await Promise.all(host.exits); // or the test never ends
  const report = await new ThreadsRuntime(spec, { pace: 'real', host: new CountingHost(enough, 0) }).run();
  t.regex(logs(report).gpu.join(), /^\d+ gpu was here$/);
});

test('row 26: an error that has nothing to do with threads being short, is told as it is', async (t) => {
  const host = new CountingHost(
    enough,
    2,
    (module, options) => new Worker(module, { ...options, workerData: () => 1 }),
  );
  const run = new ThreadsRuntime(scriptedSpec(THREE), { pace: 'real', host }).run();
  const error: unknown = await run.catch((thrown: unknown) => thrown);
  t.is((error as Error).name, 'DataCloneError');
  await Promise.all(host.exits);
});

test('row 26: a thread that fails while it starts, ends the run with its name; all the others are gone', async (t) => {
  const host = new CountingHost(enough, 2, (module, options) => new Worker(new URL('./absent.js', module), options));
  await t.throwsAsync(new ThreadsRuntime(scriptedSpec(THREE), { pace: 'real', host }).run(), {
    message: /^gpu failed/,
  });
  t.is(host.exits.length, 3);
  await Promise.all(host.exits);
});

test('row 26: a host without a thread for a restart, ends the run with EAGAIN; nobody is left', async (t) => {
  const host = new CountingHost(enough, 3);
  const spec: RunSpec = {
    ...scriptedSpec({ fails: [{ do: 'throw', message: 'broken' }], waits: [{ do: 'sleep', untilNs: 600e9 }] }),
    supervision: {
      restart: { strategy: 'one-for-one', restarts: 5, withinNs: 600e9, backoffNs: 0, maxBackoffNs: 0 },
      lateNs: 600e9,
      hungNs: 600e9,
    },
  };
  await t.throwsAsync(new ThreadsRuntime(spec, { pace: 'real', host }).run(), {
    code: 'EAGAIN',
    message: /^Cannot start a thread for fails/,
  } as object);
  t.is(host.starts, 3);
  await Promise.all(host.exits);
});
