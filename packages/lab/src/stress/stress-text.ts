/** The report of `dmabuf-lab stress` as text. */

import { historyRows } from '../report/history-text.js';
import { ageText } from '../report/summary-lives.js';
import { table, wrap } from '../report/text-layout.js';
import { formatBytes, formatDuration, formatList, plural } from '../report/units.js';
import type { StressResult } from './stress-result.js';

/** The whole report, ending with a line feed. */
export function stressText(result: StressResult): string {
  const { violationCount, violations } = result;
  const lines = [
    ...headline(result),
    '',
    ...(result.devices === undefined ? operationRows(result) : deviceRows(result.devices)),
    '',
    ...faultLines(result),
    ...siteLines(result),
    ...ledgerLines(result),
    ...ageLines(result),
    '',
    violationCount === 0 ? 'No violation.' : `${plural(violationCount, 'violation')}:`,
    ...violations.flatMap(violationLines),
  ];
  if (violationCount > violations.length) lines.push(`  … and ${violationCount - violations.length} more`);
  return `${lines.join('\n')}\n`;
}

function headline(result: StressResult): string[] {
  const { trials, runtime, modelNs, wallNs, operations, endedBy } = result;
  const last = trials.firstSeed + trials.done - 1;
  const seeds = trials.done > 1 ? `seeds ${trials.firstSeed} to ${last}` : `seed ${trials.firstSeed}`;
  const time =
    runtime === 'virtual'
      ? `${formatDuration(modelNs)} of model time in ${formatDuration(wallNs)}`
      : formatDuration(wallNs);
  const noun = result.devices === undefined ? 'operation' : 'frame taken or made';
  const what = `${plural(operations.count, noun, result.devices === undefined ? 'operations' : 'frames taken or made')} on ${runtime === 'virtual' ? 'the virtual clock' : 'threads'}`;
  const lines = wrap(
    `${what}, ${plural(trials.done, 'trial')} (${seeds}): ${time}, ${operations.perSecond} a second.`,
    '',
  );
  if (trials.twice > 0)
    lines.push(`${plural(trials.twice, 'trial')} executed twice, with the same order of events each time.`);
  if (endedBy === 'interrupted') lines.push(`Interrupted: ${trials.done} of ${plural(trials.asked, 'trial')}.`);
  return lines;
}

function operationRows({ operations }: StressResult): string[] {
  const head = ['operation', 'ended well', 'median', '99 %', 'longest', 'errors'];
  const rows = Object.entries(operations.byKind).map(([name, { ended, errors, latency }]) => [
    name,
    String(ended),
    ...[latency.p50Ns, latency.p99Ns, latency.maxNs].map((ns) => (latency.count === 0 ? '-' : formatDuration(ns))),
    Object.entries(errors)
      .map(([code, n]) => `${n} ${code}`)
      .join(', '),
  ]);
  return table([head, ...rows], 'lrrrrl');
}

function deviceRows(devices: NonNullable<StressResult['devices']>): string[] {
  const head = ['device', 'driver', 'frames in', 'frames out', 'checked', 'wrong', 'deaths'];
  const rows = devices.map(({ device, driver, framesIn, framesOut, checksPassed, checksFailed, deaths }) => {
    const counts = [framesIn, framesOut, checksPassed + checksFailed, checksFailed, deaths];
    return [device, driver === device ? '' : driver, ...counts.map(String)];
  });
  return ['Frames of the last life of each device:', ...table([head, ...rows], 'llrrrrr')];
}

function faultLines({ faults, moves, checks }: StressResult): string[] {
  const { killed, hung, late, reclaimed, restarted, reclaimNs } = faults;
  const lines = wrap(
    `Faults: ${killed} killed, ${hung} hung and ended, ${late} reported late; ${reclaimed} reclaimed, ${restarted} started again.`,
    '',
  );
  if (reclaimNs.count > 0) {
    const [median, p99, most] = [reclaimNs.p50Ns, reclaimNs.p99Ns, reclaimNs.maxNs].map(formatDuration);
    lines.push(`From death to reclaimed: median ${median}, 99 % ${p99}, longest ${most}.`);
  }
  const failed = `${moves.refused} refused, ${moves.timedOut} timed out`;
  lines.push(`Moves: ${moves.moved} (${formatBytes(moves.bytesCopied)} copied), ${failed}.`);
  lines.push(`Freed pages looked at before their next use: ${formatBytes(checks.freedBytes)}.`);
  return lines;
}

/** Which sites were armed, and how often each fired. */
function siteLines({ sites, trials }: StressResult): string[] {
  const armed = sites.filter((one) => one.armed > 0);
  if (armed.length === 0) return [];
  const texts = armed.map(({ site, armed: count, visits, fired }) => {
    const where = trials.done > 1 ? ` (armed in ${plural(count, 'trial')})` : '';
    return `${site} ${fired} of ${visits}${where}`;
  });
  const rest = sites.filter((one) => one.armed === 0).map(({ site }) => site);
  const silent = rest.length === 0 ? '' : ` Not armed: ${rest.join(', ')}.`;
  return wrap(`Sites that fired, of their visits: ${texts.join(', ')}.${silent}`, '');
}

function ledgerLines({ ledger }: StressResult): string[] {
  if (ledger === null) return ['Ledger: the run did not get to its end.'];
  const left = Object.entries(ledger).filter(([, count]) => count > 0);
  if (left.length === 0)
    return ['Ledger: nothing is left of buffers, attachments, mappings, pins, locks, fences and bytes.'];
  return [`Ledger: NOT EMPTY: ${left.map(([what, count]) => `${count} ${what}`).join(', ')}.`];
}

/** What has lasted too long, or how long everything might. */
function ageLines({ ages, trials }: StressResult): string[] {
  const { fenceNs, mappingNs, heldMappingNs, overdueCount, overdue, unwatchedMappings } = ages;
  const watched = [
    ...(fenceNs === null ? [] : [`fences for ${formatDuration(fenceNs)}`]),
    ...(mappingNs === null ? [] : [`mappings for ${formatDuration(mappingNs)}`]),
    ...(heldMappingNs === null ? [] : [`held mappings for ${formatDuration(heldMappingNs)}`]),
  ];
  if (watched.length === 0) return ['Ages: not watched.'];
  const limits = `${formatList(watched)} at most`;
  const lines = [
    overdueCount === 0 ? `Ages: ${limits}; nothing lasted longer.` : `Ages: ${limits}; longer lasted ${overdueCount}:`,
  ];
  for (const one of overdue)
    lines.push(...wrap(`${trials.done > 1 ? `Seed ${one.seed}, ` : ''}${ageText(one)}`, '  ', '    '));
  if (overdueCount > overdue.length) lines.push(`  … and ${overdueCount - overdue.length} more`);
  if (unwatchedMappings > 0) lines.push(`  ${plural(unwatchedMappings, 'mapping')} could not be watched.`);
  return lines;
}

function violationLines({ seed, text, buffer, actor, history, repeat }: StressResult['violations'][number]): string[] {
  const by = actor === null ? '' : `, found by ${actor}`;
  const about = buffer === null ? '' : `, buffer in slot ${buffer}`;
  return [
    '',
    ...wrap(`Seed ${seed}${about}${by}: ${text}`, '  ', '    '),
    ...historyRows(history),
    '  To repeat it:',
    `    ${repeat}`,
  ];
}
