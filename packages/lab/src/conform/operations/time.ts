/** Operations on time alone. */
import { z } from 'zod';
import { answered, type Operation, operation } from '../operation.js';

const NS_PER_MS = 1_000_000;

export const timeOperations: Readonly<Record<string, Operation>> = {
  sleep: operation(z.looseObject({ ms: z.number().min(0).default(10) }), function* ({ kernel, process }, { ms }) {
    yield* process.wait(() => undefined, kernel.now() + Math.round(ms * NS_PER_MS), 'sleep');
    return answered({ ret: 0 });
  }),
};
