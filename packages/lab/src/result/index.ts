export { toCanonicalJson } from './canonical-json.js';
export { type Expectation, evaluateExpectations } from './expectations.js';
export { describeLatencies, type Latency, summarizeLatency } from './latency.js';
export type { Ranges } from './quantities.js';
export {
  type BufferResult,
  type DeviceResult,
  type MoveResult,
  type RunResult,
  resultJsonSchema,
  runResultSchema,
} from './result.js';
export type { RunArtefact, RunCounts, RunOptions, RunOutcome, RunProgress } from './run-types.js';
