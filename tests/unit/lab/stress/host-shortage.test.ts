/** A host without threads or memory for them ends a trial with its error: nobody has broken a rule. */
import { HOST_THREADS } from '@dmabuf-lab/core/runtime';
import { fixedPlan, type PlanChoices, runTrial, runTrials } from '@dmabuf-lab/lab';
import test from 'ava';

const CHOICES: PlanChoices = {
  runtime: 'threads',
  drivers: 2,
  buffers: 4,
  durationNs: 100e6,
  killsPerSecond: 0,
  hangsPerSecond: 0,
  heapPressure: 0,
  seed: 1,
};
const { start, availableBytes } = HOST_THREADS;
test.afterEach(() => {
  Object.assign(HOST_THREADS, { start, availableBytes });
});

test.serial('runTrial on threads, no thread is to be had: is rejected with EAGAIN', async (t) => {
  HOST_THREADS.start = () => {
    throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' }); // as Node does
  };
  await t.throwsAsync(runTrial(fixedPlan(CHOICES)), { code: 'EAGAIN', message: /Cannot start a thread for exporter/ });
});

test.serial(
  'trials on threads, of sharing and of a pipeline, too little memory: are rejected with ENOMEM',
  async (t) => {
    HOST_THREADS.availableBytes = () => 2 ** 20;
    await t.throwsAsync(runTrials(CHOICES, { trials: 2, draw: false }), { code: 'ENOMEM' });
    const folder = import.meta.dirname;
    const path = new URL('../../../scenarios/drivers/quiet-reader.js', import.meta.url).pathname;
    const ownDrivers = { folder, modules: [{ path, given: 'quiet-reader' }] };
    await t.throwsAsync(runTrials(CHOICES, { trials: 1, draw: false, ownDrivers }), { code: 'ENOMEM' });
  },
);
