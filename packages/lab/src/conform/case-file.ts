/**
 * Case files: operation sequences with what a real kernel answered to each step.
 *
 * A file is a list of cases, or a mapping with `cases` and `meta`. Every step is checked against its operation before
 * anything runs.
 */
import { z } from 'zod';
import { nearest } from '../scenario/issues.js';
import { operationNamed, operationNames } from './operations/index.js';

const DESCRIPTOR_KEYS = ['fd', 'buf', 'sync', 'heap', 'dev', 'drm', 'video', 'memfd'] as const;

const stepSchema = z.looseObject({
  op: z.string(),
  as: z.string().optional(),
  expect: z.record(z.string(), z.unknown()).optional(),
  ignore: z.array(z.string()).optional(),
  bgDelayMs: z.number().min(0).optional(),
  timed: z.boolean().optional(),
});
const caseSchema = z.looseObject({
  id: z.string().min(1),
  area: z.string().optional(),
  title: z.string().optional(),
  needs: z.array(z.string()).optional(),
  steps: z.array(stepSchema),
  timeoutMs: z.number().positive().optional(),
});
const fileSchema = z.union([z.array(z.unknown()), z.looseObject({ cases: z.array(z.unknown()) })]);

/** One step, checked. */
export interface CaseStep {
  readonly op: string;
  readonly arguments: unknown;
  readonly descriptorName?: string;
  readonly as?: string;
  readonly expect?: Readonly<Record<string, unknown>>;
  readonly ignore: readonly string[];
  readonly bgDelayMs?: number;
  readonly timed: boolean;
}

export interface ConformanceCase {
  readonly file: string;
  readonly id: string;
  readonly area: string;
  readonly title: string;
  readonly needs: readonly string[];
  readonly timeoutMs: number;
  readonly steps: readonly CaseStep[];
}

/** A case file that is not in order: told with file, case and step. */
export class CaseFileError extends Error {
  override readonly name = 'CaseFileError';
  readonly exitCode = 2;
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const DEFAULT_TIMEOUT_MS = 5000;

/**
 * Reads the text of a case file.
 *
 * @param file its name in messages
 * @throws CaseFileError with every problem found
 */
export function parseCases(text: string, file: string): ConformanceCase[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CaseFileError([`${file}: not valid JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) throw new CaseFileError([`${file}: expected a list of cases, or a mapping with "cases"`]);
  const list = Array.isArray(parsed.data) ? parsed.data : parsed.data.cases;
  const problems: string[] = [];
  const seen = new Set<string>();
  const cases = list.flatMap((one, i): ConformanceCase[] => {
    const found = checkCase(one, `${file}: case ${i}`, file, problems);
    if (found === undefined) return [];
    if (seen.has(found.id)) problems.push(`${file}: case ${found.id}: the id is used twice`);
    seen.add(found.id);
    return [found];
  });
  if (problems.length > 0) throw new CaseFileError(problems);
  return cases;
}

function checkCase(value: unknown, place: string, file: string, problems: string[]): ConformanceCase | undefined {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  const where = typeof id === 'string' ? `${file}: case ${id}` : place;
  const parsed = caseSchema.safeParse(value);
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const [part, step, ...rest] = path.map(String);
      const inStep = part === 'steps' && step !== undefined;
      const at = inStep ? `step ${step}${rest.length > 0 ? `, ${rest.join('.')}` : ''}` : path.join('.') || 'the case';
      problems.push(`${where}: ${at}: ${message}`);
    }
    return undefined;
  }
  const { area, title = '', needs = [], timeoutMs = DEFAULT_TIMEOUT_MS, steps, id: name } = parsed.data;
  const checked = steps.flatMap((step, i) => checkStep(step, `${where}: step ${i}`, problems) ?? []);
  return { file, id: name, area: area ?? name.split('.')[0], title, needs, timeoutMs, steps: checked };
}

/** No argument has the shape of an answer: a step whose `expect` is misspelt would never differ. */
function isAnswer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && ('ret' in value || 'errno' in value);
}

function checkStep(step: z.infer<typeof stepSchema>, where: string, problems: string[]): CaseStep | undefined {
  const { op, as, expect, ignore = [], bgDelayMs, timed = false, ...given } = step;
  const operation = operationNamed(op);
  if (operation === undefined) {
    const meant = nearest(op, operationNames());
    problems.push(`${where}: unknown operation "${op}"${meant === undefined ? '' : `, did you mean "${meant}"?`}`);
    return undefined;
  }
  const misspelt = Object.keys(given).find((argument) => isAnswer(given[argument]));
  if (misspelt !== undefined) {
    problems.push(`${where} (${op}): "${misspelt}" holds an answer, did you mean "expect"?`);
    return undefined;
  }
  const parsed = operation.schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      problems.push(`${where} (${op}): ${issue.path.join('.') || 'arguments'}: ${issue.message}`);
    }
    return undefined;
  }
  const key = DESCRIPTOR_KEYS.find((candidate) => given[candidate] !== undefined);
  const name = key === undefined ? undefined : given[key];
  return {
    op,
    arguments: parsed.data,
    ...(typeof name === 'string' && { descriptorName: name }),
    ...(as !== undefined && { as }),
    ...(expect !== undefined && { expect }),
    ignore,
    ...(bgDelayMs !== undefined && { bgDelayMs }),
    timed,
  };
}
