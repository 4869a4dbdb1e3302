export { historyLines } from './history-text.js';
export { encodePerfettoTrace } from './perfetto.js';
export { ProgressLine, type ProgressSink } from './progress.js';
export { summarize } from './summary.js';
export { formatBytes, formatDuration, formatRanges } from './units.js';
export { writeArtefacts, writeOutputs } from './write-artefacts.js';
