/** Runs case files on the simulator and compares its answers with the recorded ones. */
import { isDeepStrictEqual } from 'node:util';
import { actorId } from '@dmabuf-lab/core/base';
import type { DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { VirtualRuntime } from '@dmabuf-lab/core/runtime';
import { MACHINE_HAS, MACHINE_WINDOWS } from '../machine/index.js';
import { type CaseStep, type ConformanceCase, parseCases } from './case-file.js';
import type { Answer } from './operation.js';

/** How a case went. */
export type CaseVerdict =
  | { readonly status: 'passed' }
  | { readonly status: 'not supported'; readonly missing: readonly string[] }
  /** It ran, but no step says what a kernel answered: there is nothing to compare with. */
  | { readonly status: 'not recorded' }
  | {
      readonly status: 'differs';
      /** The first step that differs. */
      readonly step: number;
      readonly op: string;
      readonly expected: Answer;
      readonly got: Answer;
    };

export interface CaseReport {
  readonly file: string;
  readonly id: string;
  readonly area: string;
  readonly title: string;
  readonly verdict: CaseVerdict;
  /** What the simulator answered; empty where it did not run. */
  readonly answers: readonly Answer[];
}

export interface ConformanceReport {
  readonly version: 1;
  readonly passed: number;
  readonly differing: number;
  readonly notSupported: number;
  readonly notRecorded: number;
  readonly cases: readonly CaseReport[];
}

export interface CaseText {
  /** As it is to be named. */
  readonly file: string;
  readonly text: string;
}

export interface ConformOptions {
  /** Only cases of these; all when absent. */
  readonly areas?: readonly string[];
  /** Which kernel is followed, and how strictly; like Linux 6.12 when absent. */
  readonly rules?: DmaBufRulesOptions;
}

/** Control words of the runtime come first. */
const CHANGED_WORD = 1024;
const CONTROL_BYTES = 8192;

/**
 * Runs cases.
 *
 * @throws CaseFileError when a file is not in order; nothing has run then
 */
export async function conform(
  files: readonly CaseText[],
  { areas, rules = {} }: ConformOptions = {},
): Promise<ConformanceReport> {
  const all = files.flatMap(({ file, text }) => parseCases(text, file));
  const cases = all.filter(({ area }) => areas === undefined || areas.includes(area));
  const runnable = cases.filter((one) => missingOf(one).length === 0);
  const answers = await answersOf(files, runnable, rules);
  const reports = cases.map((one): CaseReport => {
    const { file, id, area, title } = one;
    const missing = missingOf(one);
    const got = answers[`${file}#${id}`] ?? [];
    const verdict: CaseVerdict = missing.length > 0 ? { status: 'not supported', missing } : verdictOf(one, got);
    return { file, id, area, title, verdict, answers: got };
  });
  const count = (status: CaseVerdict['status']): number =>
    reports.filter(({ verdict }) => verdict.status === status).length;
  return {
    version: 1,
    passed: count('passed'),
    differing: count('differs'),
    notSupported: count('not supported'),
    notRecorded: count('not recorded'),
    cases: reports,
  };
}

function missingOf({ needs }: ConformanceCase): string[] {
  return needs.filter((need) => !MACHINE_HAS.includes(need));
}

/** A mistake of the simulator ends the case that shows it, and no other: the halves are run again until that one is alone. */
async function answersOf(
  files: readonly CaseText[],
  cases: readonly ConformanceCase[],
  rules: DmaBufRulesOptions,
): Promise<Record<string, Answer[]>> {
  if (cases.length === 0) return {};
  try {
    return await runTogether(files, cases, rules);
  } catch (error) {
    if (cases.length === 1) {
      const crash = error instanceof Error ? error.message : String(error);
      return { [`${cases[0].file}#${cases[0].id}`]: cases[0].steps.map(() => ({ crash })) };
    }
    const half = Math.ceil(cases.length / 2);
    const first = await answersOf(files, cases.slice(0, half), rules);
    return { ...first, ...(await answersOf(files, cases.slice(half), rules)) };
  }
}

/** @throws whatever ends the simulated kernel */
async function runTogether(
  files: readonly CaseText[],
  cases: readonly ConformanceCase[],
  rules: DmaBufRulesOptions,
): Promise<Record<string, Answer[]>> {
  const runtime = new VirtualRuntime(
    {
      actors: [
        {
          name: 'kernel',
          id: actorId(1),
          module: new URL('./case-actor.js', import.meta.url).href,
          calls: [],
          data: { files, ids: cases.map(({ file, id }) => `${file}#${id}`), changedWord: CHANGED_WORD, rules },
        },
      ],
      memory: PhysicalMemory.create(MACHINE_WINDOWS).handle,
      controlBytes: CONTROL_BYTES,
      seed: 1,
      trace: false,
    },
    { ties: 'fifo' },
  );
  const { outcomes } = await runtime.run();
  return outcomes[0].report as Record<string, Answer[]>;
}

function verdictOf({ steps }: ConformanceCase, answers: readonly Answer[]): CaseVerdict {
  if (steps.every(({ expect }) => expect === undefined)) return { status: 'not recorded' };
  for (const [i, step] of steps.entries()) {
    if (step.expect === undefined) continue;
    const expected = without(step.expect, step);
    const got = without(answers[i] ?? { notRun: true }, step);
    if (!isDeepStrictEqual(expected, got)) return { status: 'differs', step: i, op: step.op, expected, got };
  }
  return { status: 'passed' };
}

function without(answer: Answer, { ignore }: CaseStep): Answer {
  return Object.fromEntries(Object.entries(answer).filter(([key]) => !ignore.includes(key)));
}
