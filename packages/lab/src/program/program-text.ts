import type { DmaBufFinding } from '@dmabuf-lab/core/dma-buf';
import { countSequences } from '@dmabuf-lab/core/driver';
import type { ProgramReport } from './program-actor.js';

const NS_PER_MS = 1e6;
const NS_PER_US = 1e3;

/** As JSON; 64-bit numbers of the kernel, which are bigint, as decimal strings, and what lies in itself as `[circular]`. */
export function jsonText(value: unknown): string {
  const path: unknown[] = [];
  function replace(this: unknown, _key: string, one: unknown): unknown {
    if (typeof one === 'bigint') return String(one);
    if (typeof one !== 'object' || one === null) return one;
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    if (path.includes(one)) return '[circular]';
    path.push(one);
    return one;
  }
  return JSON.stringify(value, replace, 2) ?? 'null';
}

/** What a program returned, when it ended, and what was found, for people. */
export function programText({ result, endNs, findings, cache, devices = [] }: ProgramReport): string {
  const lines: string[] = [];
  if (result !== undefined) lines.push(jsonText(result));
  lines.push(`ended at ${(endNs / NS_PER_MS).toFixed(3)} ms of model time`);
  if (cache !== undefined) {
    const { cleanedPages, invalidatedPages, spentNs } = cache;
    const us = (spentNs / NS_PER_US).toFixed(3);
    lines.push(`cache maintenance: ${cleanedPages} pages cleaned, ${invalidatedPages} invalidated, ${us} us`);
  }
  for (const { name, path, counters, dropped, failures } of devices) {
    const counts = Object.entries(counters).map(([counter, count]) => `${counter} ${count}`);
    const lost = countSequences(dropped);
    if (lost > 0) counts.push(`dropped ${lost}`);
    lines.push(`${name} (${path}): ${counts.length === 0 ? 'not used' : counts.join(', ')}`);
    for (const { timeNs, message } of failures) {
      lines.push(`${name} failed at ${(timeNs / NS_PER_MS).toFixed(3)} ms: ${message}`);
    }
  }
  for (const group of groupsOf(findings)) {
    const [{ kind, message }] = group;
    const more = group.length === 1 ? '' : `; and ${group.length - 1} more pages`;
    lines.push(`finding: ${kind}: ${message}${more}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Findings that differ by nothing but the page go together. */
function groupsOf(findings: readonly DmaBufFinding[]): DmaBufFinding[][] {
  const groups: DmaBufFinding[][] = [];
  for (const finding of findings) {
    const [last] = groups.at(-1) ?? [];
    if (last !== undefined && isOtherPage(last, finding)) groups.at(-1)?.push(finding);
    else groups.push([finding]);
  }
  return groups;
}

function isOtherPage(a: DmaBufFinding, b: DmaBufFinding): boolean {
  const isSame = a.kind === b.kind && a.buffer === b.buffer && a.op === b.op;
  return isSame && 'page' in a.details && 'page' in b.details && a.details.page !== b.details.page;
}
