import { waitFenceObject } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { FenceBench, TaskRunner } from './bench-fences.js';

function waiting(untilNs: number) {
  const bench = new FenceBench();
  const fence = bench.fence();
  const runner = new TaskRunner();
  const wait = runner.start(waitFenceObject(fence, 'a test', { untilNs, alarm: bench.clock.alarm }));
  runner.run();
  return { bench, fence, runner, wait };
}

test('waitFenceObject, pending when time runs out, is 0', (t) => {
  const { bench, runner, wait } = waiting(1001);
  bench.clock.moveTo(1001);
  runner.run();
  t.is(wait.value, 0);
  t.is(bench.clock.alarms, 0);
});

test('waitFenceObject, signalled in time, is its status, and the alarm is taken back', (t) => {
  const { bench, fence, runner, wait } = waiting(5000);
  fence.setError('EIO');
  fence.signal();
  runner.run();
  t.is(wait.value, -5);
  t.is(bench.clock.alarms, 0);
});

test('waitFenceObject, signalled before, does not wait', (t) => {
  const fence = new FenceBench().fence();
  fence.signal();
  t.deepEqual(waitFenceObject(fence, 'a test').next(), { done: true, value: 1 });
});

test('waitFenceObject, signal and alarm at one instant, resume the task once', (t) => {
  const { bench, fence, runner, wait } = waiting(2000);
  fence.signal();
  bench.clock.moveTo(2000);
  runner.run();
  t.is(wait.value, 1);
});

test('waitFenceObject, its task ended, leaves no callback', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  const task = waitFenceObject(fence, 'a test');
  task.next();
  task.return(0);
  fence.release();
  t.is(fence.status, 0);
});
