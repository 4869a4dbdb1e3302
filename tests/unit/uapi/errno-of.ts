import { isErrno, type Task } from '@dmabuf-lab/core/base';

/** How a call fails. @returns its errno; undefined when it does not fail */
export function* errnoOf(call: Task<unknown>): Task<string | undefined> {
  try {
    yield* call;
    return undefined;
  } catch (error) {
    if (isErrno(error)) return error.code;
    throw error;
  }
}
