/** The thread of a trial: imports one module and says how that went. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, toErrorRecord } from '../../base/index.js';
import type { TrialMessage } from './trial-import.js';

assert(parentPort !== null, 'this module runs in a worker');
process.setSourceMapsEnabled(true);
const tell = (message: TrialMessage): void => parentPort?.postMessage(message);

try {
  await import(workerData as string);
  tell({ kind: 'loaded' });
} catch (error) {
  tell({ kind: 'threw', error: toErrorRecord(error) });
}
