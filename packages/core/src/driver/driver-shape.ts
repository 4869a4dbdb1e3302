/** Whether something is a driver, as `defineDriver` makes it. */
import { showValue } from '../base/index.js';
import type { AnyDriver } from './define-driver.js';

/** The end of a clause about what is no driver at all: what it should have been, for the messages of the loader and of `driverShapeProblems`. */
export const EXPECTED_DRIVER = 'expected what defineDriver returns';

/**
 * What a value lacks to be a driver: for the loader of modules and for the suite of checks alike.
 *
 * @param subject what messages call the value itself
 * @returns clauses, each whose subject is named: `its run: expected a generator function (*run), got a function`; none: it is one
 */
export function driverShapeProblems(value: unknown, subject = 'it'): string[] {
  if (typeof value === 'function') return [`${subject} is a function, ${EXPECTED_DRIVER}`];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${subject} is ${showValue(value)}, ${EXPECTED_DRIVER}`];
  }
  const { name, parameters, ports, plan, run, prepare, setup, importer, memory, moveNotify } = value as Partial<
    Record<keyof AnyDriver, unknown>
  >;
  const problems: string[] = [];
  if (typeof name !== 'string' || name === '') problems.push(`its name: expected a text, got ${showValue(name)}`);
  if (!isSchema(parameters)) problems.push(`its parameters: expected a schema of zod 4, got ${kindOf(parameters)}`);
  problems.push(...portProblems(ports));
  if (typeof plan !== 'function') problems.push(`its plan: expected a function, got ${kindOf(plan)}`);
  if (!isGenerator(run)) problems.push(`its run: expected a generator function (*run), got ${kindOf(run)}`);
  if (setup !== undefined && !isGenerator(setup)) {
    problems.push(`its setup: expected a generator function (*setup), got ${kindOf(setup)}`);
  }
  if (prepare !== undefined && typeof prepare !== 'function') {
    problems.push(`its prepare: expected a function, got ${kindOf(prepare)}`);
  }
  if (importer !== undefined && importer !== 'static' && importer !== 'dynamic') {
    problems.push(`its importer: expected static or dynamic, got ${showValue(importer)}`);
  }
  if (moveNotify !== undefined && typeof moveNotify !== 'function') {
    problems.push(`its moveNotify: expected a function, got ${kindOf(moveNotify)}`);
  }
  const { sizeBytes, openHeap } = (memory ?? {}) as { readonly sizeBytes?: unknown; readonly openHeap?: unknown };
  if (memory !== undefined && (typeof sizeBytes !== 'function' || typeof openHeap !== 'function')) {
    problems.push(`its memory: expected { sizeBytes(), openHeap() }, got ${kindOf(memory)} without both`);
  }
  return problems;
}

/** Source: the names of ports in links and pools, `port` of schema-values.ts. */
const PORT_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

function portProblems(ports: unknown): string[] {
  if (typeof ports !== 'object' || ports === null || Array.isArray(ports)) {
    return [`its ports: expected a mapping of names to input() and output(), got ${kindOf(ports)}`];
  }
  const entries = Object.entries(ports as Readonly<Record<string, unknown>>);
  if (entries.length === 0) return ['its ports: expected at least one input() or output(), got an empty mapping'];
  return entries.flatMap(([name, port]) => {
    if (!PORT_NAME.test(name)) return [`its port "${name}": expected a letter, then letters, digits, - or _`];
    const direction = (port as { readonly direction?: unknown } | null | undefined)?.direction;
    if (direction === 'in' || direction === 'out') return [];
    return [`its port "${name}": expected input() or output(), got ${kindOf(port)}`];
  });
}

/** By what zod 4 itself looks at, since the driver may have a copy of its own. */
function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_zod' in value && 'safeParse' in value;
}

function isGenerator(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object GeneratorFunction]';
}

function kindOf(value: unknown): string {
  const kind = Object.prototype.toString.call(value);
  if (kind === '[object AsyncFunction]') return 'an async function';
  if (kind === '[object AsyncGeneratorFunction]') return 'an async generator function';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null && '_def' in value) return 'a schema of another version';
  return showValue(value);
}
