/** A worker that posts numbers, each before it stores it, until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';

const posted = workerData as Int32Array;
for (let i = 1; ; i += 1) {
  parentPort?.postMessage(i);
  Atomics.store(posted, 0, i);
}
