export { toCanonicalJson } from './canonical-json.js';
export { type Expectation, evaluateExpectations } from './expectations.js';
export { describeLatencies, summarizeLatency } from './latency.js';
export {
  type BufferResult,
  type DeviceResult,
  type Latency,
  type MoveResult,
  type Ranges,
  type RunResult,
  resultJsonSchema,
  runResultSchema,
} from './result.js';
export type { RunArtefact, RunOptions, RunOutcome, RunProgress } from './run-types.js';
