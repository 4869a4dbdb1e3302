/** How one operation of a case file is done on the simulator. */
import type { Task } from '@dmabuf-lab/core/base';
import type { z } from 'zod';
import type { CaseContext } from './case-context.js';

/** What an operation answers: the fields that a case file records. */
export type Answer = Readonly<Record<string, unknown>>;

/** What a step binds to the name in its `as`. */
export type Binding =
  | { readonly fd: number }
  | { readonly number: bigint }
  | { readonly map: { address: number; lengthBytes: number } };

/** An operation that succeeded; one that fails throws. */
export interface Outcome {
  readonly answer: Answer;
  readonly bind?: Binding;
}

/** An operation of the vocabulary. */
export interface Operation<Arguments = unknown> {
  /** What a step may give it. */
  readonly schema: z.ZodType<Arguments>;
  run(context: CaseContext, given: Arguments, step: StepInfo): Task<Outcome> | Outcome;
}

/** What an operation sees of its step. */
export interface StepInfo {
  /** The name that its descriptor was given by: sequence numbers are kept by it. */
  readonly descriptorName?: string;
  /** The name that it binds. */
  readonly as?: string;
}

/** Makes an operation; its arguments are typed by the schema. */
export function operation<S extends z.ZodType>(
  schema: S,
  run: (context: CaseContext, given: z.output<S>, step: StepInfo) => Task<Outcome> | Outcome,
): Operation {
  return { schema, run: (context, given, step) => run(context, given as z.output<S>, step) };
}

/** An answer that binds nothing. */
export const answered = (answer: Answer): Outcome => ({ answer });
/** A call that returned a descriptor. */
export const returnedFd = (fd: number): Outcome => ({ answer: { ret: 'fd' }, bind: { fd } });
/** A call that returned 0 and a descriptor in its structure. */
export const newFd = (fd: number, more: Answer = {}): Outcome => ({
  answer: { ret: 0, fd: 'new', ...more },
  bind: { fd },
});
