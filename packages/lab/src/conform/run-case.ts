/** Runs the steps of one case. */
import { ErrnoError, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { Process, ProcessKilled, SignalError, type SimulatedKernel } from '@dmabuf-lab/uapi';
import { CaseContext, Unbound } from './case-context.js';
import type { CaseStep, ConformanceCase } from './case-file.js';
import type { Answer } from './operation.js';
import { operationNamed } from './operations/index.js';

const NS_PER_MS = 1_000_000;
/** A step that takes so long has waited. */
const WAITED_NS = 100 * NS_PER_MS;

/** @returns the answers, one a step */
export function* runCase(one: ConformanceCase, kernel: SimulatedKernel): Task<Answer[]> {
  const process = new Process(kernel);
  process.killedAtNs = kernel.now() + one.timeoutMs * NS_PER_MS;
  const context = new CaseContext(kernel, process);
  const answers: Answer[] = one.steps.map(() => ({ notRun: true }));
  let inBackground = 0;
  for (const [i, step] of one.steps.entries()) {
    if (step.bgDelayMs !== undefined) {
      inBackground += 1;
      const untilNs = kernel.now() + Math.round(step.bgDelayMs * NS_PER_MS);
      kernel.spawn(`step ${i}`, later(untilNs));
      function* later(atNs: number): Task<void> {
        yield* sleepUntil(atNs, 'a later step');
        if (kernel.now() < process.killedAtNs) answers[i] = yield* answerOf(step, context);
        inBackground -= 1;
        kernel.changed();
      }
    } else {
      answers[i] = yield* runStep(step, context);
      if ('hang' in answers[i]) break;
    }
    // A thread counts from before the steps that follow it.
    if (inBackground > 0) yield* sleepUntil(kernel.now() + 1, 'what goes on beside');
  }
  yield* kernel.wait(() => (inBackground === 0 ? true : undefined), Number.POSITIVE_INFINITY, 'later steps');
  process.exit();
  return answers;
}

function* runStep(step: CaseStep, context: CaseContext): Task<Answer> {
  const { kernel } = context;
  const startNs = kernel.now();
  const answer = yield* answerOf(step, context);
  if (!step.timed || 'hang' in answer) return answer;
  return { ...answer, waited: kernel.now() - startNs >= WAITED_NS };
}

function* answerOf(step: CaseStep, context: CaseContext): Task<Answer> {
  const operation = operationNamed(step.op);
  if (operation === undefined) return { unknownOp: true };
  try {
    const started = operation.run(context, step.arguments, { descriptorName: step.descriptorName, as: step.as });
    const { answer, bind } = isTask(started) ? yield* started : started;
    const binding = bind !== undefined && 'fd' in bind ? { fd: context.fresh(bind.fd) } : bind;
    if (binding !== undefined && step.as !== undefined && !('errno' in answer)) context.bind(step.as, binding);
    return answer;
  } catch (error) {
    if (error instanceof ErrnoError) return { errno: error.code };
    if (error instanceof SignalError) return { signal: error.signal };
    if (error instanceof Unbound) return { unbound: true };
    if (error instanceof ProcessKilled) return { hang: true };
    throw error;
  }
}

function isTask<T>(value: T | Task<T>): value is Task<T> {
  return typeof value === 'object' && value !== null && 'next' in value;
}
