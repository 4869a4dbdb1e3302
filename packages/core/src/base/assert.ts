/** A broken invariant: a programmer error. It is never caught and ends the actor in which it happens. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * Asserts an invariant of the program; always on.
 *
 * @param tag the invariant, as its protocol block numbers it (`I2`) or in words
 * @throws InvariantError when the condition does not hold
 */
export function assert(condition: boolean, tag: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${tag}`);
}
