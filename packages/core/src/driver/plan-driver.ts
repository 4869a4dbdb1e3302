/** Asks a driver for its plan, after checking what its ports declare. Pure. */
import type { AnyDriver } from './define-driver.js';
import type { FrameFormat } from './frame-format.js';

/** Why a driver cannot work in a pipeline. */
export interface PlanProblem {
  /** Of this port; absent = of the driver as a whole. */
  readonly port?: string;
  /** A clause whose subject is the device: `it takes NV12, and its input "in" carries AB24`. */
  readonly message: string;
}

/** The answer of a driver, with all that is wrong with it. */
export interface CheckedPlan {
  readonly outputs: Readonly<Record<string, FrameFormat>>;
  /** Outputs that pass on what comes in: output to input. */
  readonly forwards: Readonly<Record<string, string>>;
  readonly problems: readonly PlanProblem[];
}

/**
 * What a driver makes of its inputs.
 *
 * @param parameters what its schema has let pass
 * @param inputs formats of the inputs that are linked
 */
export function planDriver(
  driver: AnyDriver,
  parameters: unknown,
  inputs: Readonly<Record<string, FrameFormat>>,
): CheckedPlan {
  const before = problemsOfInputs(driver, inputs);
  if (before.length > 0) return { outputs: {}, forwards: {}, problems: before };
  const { outputs, forwards = {}, problems = [] } = driver.plan(parameters as never, inputs as never);
  const own = problems.map((message) => ({ message }));
  return {
    outputs: definedOnly<FrameFormat>(outputs),
    forwards: definedOnly<string>(forwards),
    problems: own.length > 0 ? own : problemsOfPlan(driver, outputs, forwards),
  };
}

function problemsOfInputs({ ports }: AnyDriver, inputs: Readonly<Record<string, FrameFormat>>): PlanProblem[] {
  return Object.entries(ports).flatMap(([port, declared]): PlanProblem[] => {
    if (declared.direction !== 'in') return [];
    const { fourcc } = inputs[port] ?? {};
    if (fourcc === undefined) {
      return declared.isOptional ? [] : [{ message: `its input "${port}" is linked to nothing` }];
    }
    if (declared.formats === undefined || declared.formats.includes(fourcc)) return [];
    return [{ port, message: `it takes ${declared.formats.join(' or ')}, and its input "${port}" carries ${fourcc}` }];
  });
}

/** What is wrong with the answer itself: a mistake of the driver, not of the scenario. */
function problemsOfPlan(
  { name, ports }: AnyDriver,
  outputs: Readonly<Record<string, FrameFormat | undefined>>,
  forwards: Readonly<Record<string, string | undefined>>,
): PlanProblem[] {
  const mistake = (what: string): PlanProblem => ({ message: `the plan of driver ${name} ${what}` });
  const declared = (port: string, direction: 'in' | 'out'): boolean => ports[port]?.direction === direction;
  const missing = Object.keys(ports)
    .filter((port) => declared(port, 'out') && outputs[port] === undefined)
    .map((port) => mistake(`says nothing of its output "${port}"`));
  const unknown = Object.keys(outputs)
    .filter((port) => !declared(port, 'out'))
    .map((port) => mistake(`has an output "${port}" that its ports do not declare`));
  const astray = Object.entries(forwards)
    .filter(([to, from]) => !declared(to, 'out') || from === undefined || !declared(from, 'in'))
    .map(([to, from]) => mistake(`forwards "${from}" to "${to}", which are not an input and an output of it`));
  return [...missing, ...unknown, ...astray];
}

function definedOnly<Value>(record: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  const defined: Record<string, Value> = {};
  for (const [key, value] of Object.entries(record)) if (value !== undefined) defined[key] = value;
  return defined;
}
