/** The verdicts of a driver as text. */
import type { ConformResult, RuleVerdict } from './conform-driver.js';

/** Findings of one rule that are told: the first come from what the others come from. Uses of the world do not. */
const toldOf = (rule: RuleVerdict['rule']): number => (rule === 'ports-only' ? 20 : 3);

export function conformText({ driver, ok, runtime, rules, runs, seed, notes }: Omit<ConformResult, 'text'>): string {
  const failed = rules.filter(({ verdict }) => verdict === 'fail').length;
  const skipped = rules.filter(({ verdict }) => verdict === 'skipped').length;
  const sum = [
    `${rules.length - failed - skipped} pass`,
    `${failed} FAIL`,
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  const verdict = `${ok ? 'conforms' : 'does not conform'}${runtime === 'threads' ? ' on threads' : ''}`;
  const last = `driver ${driver} ${verdict}: ${sum.join(', ')} (${runs} runs, seed ${seed})`;
  const told = notes.map((note) => `note  ${note}`);
  const why = new Set(rules.flatMap((one) => one.why ?? []));
  const skips = [...why].map((text) => `      skipped, since ${text}`);
  return `${[...rules.flatMap(linesOf), ...skips, ...told, last].join('\n')}\n`;
}

function linesOf({ rule, verdict, checks, remedy, findings }: RuleVerdict): string[] {
  if (verdict === 'pass') return [`pass  ${rule}`];
  if (verdict === 'skipped') return [`skip  ${rule}`];
  const told = findings
    .slice(0, toldOf(rule))
    .flatMap(({ what, where, run, remedy: own }) => [
      `FAIL  ${rule}: ${what}`,
      ...(where === undefined ? [] : [`      at ${where}`]),
      `      in the run "${run}"`,
      ...(own === undefined ? [] : [`      remedy: ${own}`]),
    ]);
  const more = findings.length - toldOf(rule);
  const isForAll = findings.some((one) => one.remedy === undefined);
  return [
    ...told,
    ...(more > 0 ? [`      and ${more} more`] : []),
    `      rule: ${checks}`,
    ...(isForAll ? [`      remedy: ${remedy}`] : []),
  ];
}
