import { type AtomicWords, ErrnoError, type Park, type Task } from '../base/index.js';

/**
 * Steps a generator until it ends or really has to wait: a park on a word that has changed meanwhile is no wait.
 *
 * @param value what the park that it waits in ended with
 * @param error what to throw into it instead
 * @returns its end, or the park to wait in
 * @throws what it throws; ErrnoError EPROTO when it yields what is no wait
 */
export function advance(
  task: Task<unknown>,
  words: AtomicWords,
  value: unknown,
  error: Error | undefined,
): IteratorResult<Park, unknown> {
  let result = error === undefined ? task.next(value) : task.throw(error);
  while (result.done !== true) {
    const park: Park = result.value;
    if (!isPark(park)) throw noPark(park);
    if (park.kind !== 'word' || words.load(park.word) === park.expected) break;
    result = task.next(true);
  }
  return result;
}

/** Drivers of users are not all compiled: anything may be yielded. */
function isPark(value: { readonly kind?: unknown } | null | undefined): boolean {
  const kind = value?.kind;
  return kind === 'word' || kind === 'time' || kind === 'reply' || kind === 'external';
}

function noPark(value: unknown): ErrnoError {
  const isTask = typeof (value as { readonly next?: unknown } | null | undefined)?.next === 'function';
  const what = typeof value === 'object' && value !== null ? 'an object' : String(value);
  const mistake = isTask ? 'it writes yield where yield* was meant' : `it yields ${what}, which is no wait`;
  return new ErrnoError(
    'EPROTO',
    'yield',
    `Cannot go on: ${mistake}; calls that wait are made as in yield* source.take()`,
  );
}
