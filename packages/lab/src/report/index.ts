export { encodePerfettoTrace } from './perfetto.js';
export { ProgressLine, type ProgressSink } from './progress.js';
export { summarize } from './summary.js';
export { formatBytes, formatDuration, formatRanges } from './units.js';
export { writeOutputs } from './write-artefacts.js';
