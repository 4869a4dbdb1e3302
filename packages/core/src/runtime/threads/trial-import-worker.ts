/** The thread of a trial: imports one module and says how that went. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, toErrorRecord } from '../../base/index.js';
import type { TrialMessage } from './trial-import.js';

assert(parentPort !== null, 'this module runs in a worker');
process.setSourceMapsEnabled(true);
const tell = (message: TrialMessage): void => parentPort?.postMessage(message);

const exit = process.exit.bind(process);
process.exit = (code) => {
  tell({ kind: 'exited', code: Number(code ?? process.exitCode ?? 0) });
  return exit(code);
};

// No await here: of one that never ends Node would warn on stderr.
import(workerData as string).then(
  () => tell({ kind: 'loaded' }),
  (error: unknown) => tell({ kind: 'threw', error: toErrorRecord(error) }),
);
