export * from './actor.js';
export * from './broken-senders.js';
export * from './guarded-services.js';
export * from './runtime-words.js';
export { type StallLimits, type StallWatch, watchStalls } from './stall/stall-watch.js';
export * from './supervision/index.js';
export { DeadlockLook, type ParkedTask, type Sight, type WatchedActor } from './threads/deadlock-look.js';
export {
  bytesLeft,
  checkRoomForWorkers,
  HOST_THREADS,
  type HostThreads,
  type MemoryFigures,
} from './threads/host-threads.js';
export { type ParkRow, ParkRows } from './threads/park-rows.js';
export { PARK_ROWS, ParkWords } from './threads/park-words.js';
export { type BeatenWorker, type DeadlockNews, ThreadDeadlocks } from './threads/thread-deadlocks.js';
export { type ThreadsOptions, ThreadsRuntime } from './threads/threads-runtime.js';
export { type TrialImport, tryImport } from './threads/trial-import.js';
export { WorkerMessages } from './threads/worker-messages.js';
export { labelToStderr } from './threads/worker-output.js';
export * from './turn.js';
export type { OutsideLimits } from './virtual/outside-watch.js';
export { type EventTarget, type VirtualOptions, VirtualRuntime } from './virtual/virtual-runtime.js';
export * from './wait-owners.js';
