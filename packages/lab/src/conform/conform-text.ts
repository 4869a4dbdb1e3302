/** The outcome of a conformance run as text for a terminal. */
import type { CaseReport, ConformanceReport } from './conform.js';

/** @returns lines, each ending with a newline */
export function conformanceText({ cases, passed, differing, notSupported, notRecorded }: ConformanceReport): string {
  const lines = cases.flatMap(linesOf);
  const skipped =
    (notSupported === 0 ? '' : `, ${notSupported} not supported`) +
    (notRecorded === 0 ? '' : `, ${notRecorded} not recorded`);
  return `${[...lines, `${passed} passed, ${differing} differ${skipped}`].join('\n')}\n`;
}

function linesOf({ id, verdict }: CaseReport): string[] {
  switch (verdict.status) {
    case 'passed':
      return [`pass            ${id}`];
    case 'not supported':
      return [`not supported   ${id}: there is no ${verdict.missing.join(', no ')}`];
    case 'not recorded':
      return [`not recorded    ${id}: no step says what Linux answered`];
    case 'differs':
      return [
        `differs         ${id}: step ${verdict.step}, ${verdict.op}`,
        `  Linux      ${JSON.stringify(verdict.expected)}`,
        `  simulator  ${JSON.stringify(verdict.got)}`,
      ];
  }
}
