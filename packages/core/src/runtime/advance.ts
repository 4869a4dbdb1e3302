import type { AtomicWords, Park, Task } from '../base/index.js';

/**
 * Steps a generator until it ends or really has to wait: a park on a word that has changed meanwhile is no wait.
 *
 * @param value what the park that it waits in ended with
 * @param error what to throw into it instead
 * @returns its end, or the park to wait in
 */
export function advance(
  task: Task<unknown>,
  words: AtomicWords,
  value: unknown,
  error: Error | undefined,
): IteratorResult<Park, unknown> {
  let result = error === undefined ? task.next(value) : task.throw(error);
  while (result.done !== true) {
    const park = result.value;
    if (park.kind !== 'word' || words.load(park.word) === park.expected) break;
    result = task.next(true);
  }
  return result;
}
