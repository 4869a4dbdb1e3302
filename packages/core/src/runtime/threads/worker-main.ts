/** The entry of every worker of the threads runtime. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert, toErrorRecord } from '../../base/index.js';
import { loadProgram } from '../actor.js';
import { ThreadActor } from './thread-actor.js';
import type { RuntimeMessage, WorkerMessage, WorkerStart } from './worker-protocol.js';

assert(parentPort !== null, 'this module runs in a worker');
const runtime: MessagePort = parentPort;
const start = workerData as WorkerStart;
const tell = (message: WorkerMessage): void => runtime.postMessage(message);
let failed = false;

function fail(error: unknown): void {
  if (failed) return;
  failed = true;
  tell({ kind: 'failed', error: toErrorRecord(error) });
}

// This listener is also what keeps the worker alive while it only waits for words.
runtime.on('message', (message: RuntimeMessage) => {
  if (message.kind !== 'exit') return;
  for (const { port } of [...start.peers, ...start.callers]) port.close();
  runtime.close();
  // Timers of waits that are over must not keep a finished worker alive.
  setImmediate(() => process.exit(0));
});
process.on('unhandledRejection', fail);

try {
  const program = await loadProgram(start.spec);
  const actor = new ThreadActor(start, fail, () => tell({ kind: 'serving' }));
  const report = await actor.run(() => program(actor, start.spec.data));
  if (!failed) tell({ kind: 'done', report, trace: actor.trace.events, controlCalls: actor.controlCalls });
} catch (error) {
  fail(error);
}
