/** The entry of every worker of the threads runtime. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/index.js';
import { loadProgram } from '../actor.js';
import { ThreadActor } from './thread-actor.js';
import { failedMessage, type RuntimeMessage, type WorkerMessage, type WorkerStart } from './worker-protocol.js';

assert(parentPort !== null, 'this module runs in a worker');
const runtime: MessagePort = parentPort;
const start = workerData as WorkerStart;
const tell = (message: WorkerMessage): void => runtime.postMessage(message);
let failed = false;

function fail(error: unknown): void {
  if (failed) return;
  failed = true;
  const message = failedMessage(error);
  try {
    tell(message);
  } catch {
    // Its details cannot be given to another thread.
    const { details: _, ...rest } = message.error;
    tell({ kind: 'failed', error: rest });
  }
}

let actor: ThreadActor | undefined;

// This listener is also what keeps the worker alive while it only waits for words.
runtime.on('message', (message: RuntimeMessage) => {
  if (message.kind === 'exit') exit();
  else if (message.kind === 'stall') stall(message.untilNs);
  else actor?.receive(message);
  actor?.dealtWithMessage();
});
process.on('unhandledRejection', fail);

function exit(): void {
  actor?.closePorts();
  runtime.close();
  // Timers of waits that are over must not keep a finished worker alive.
  setImmediate(() => process.exit(0));
}

/** Blocks this thread, as if it were not scheduled. One that comes while another lasts is over when its own time has come. */
function stall(untilNs: bigint | undefined): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  const forMs = untilNs === undefined ? Number.POSITIVE_INFINITY : Number(untilNs - process.hrtime.bigint()) / 1e6;
  if (forMs > 0) Atomics.wait(nobody, 0, 0, forMs);
}

try {
  actor = new ThreadActor(start, fail, tell);
  const running = actor;
  const program = await loadProgram(start.spec);
  const report = await running.run(() => program(running, start.spec.data));
  if (!failed) tell({ kind: 'done', report, trace: running.trace.report(), controlCalls: running.controlCalls });
} catch (error) {
  fail(error);
}
