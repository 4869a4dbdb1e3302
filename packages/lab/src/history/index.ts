export { recordAccesses } from './access-recorder.js';
export { type CheckerParts, HistoryChecker, type Touch } from './history-checker.js';
export { EVENT, type EventKind, type HistoryEvent, historyOf, lastUser } from './history-events.js';
export { type HistoryReport, type HistoryViolation, historyReport } from './history-report.js';
export {
  type HistoryBoard,
  HistoryWords,
  type LoggedEvent,
  type LoggedViolation,
  layOutHistory,
} from './history-words.js';
export { logDeath } from './log-death.js';
