/** What a lane does next. */
import type { RandomStream } from '@dmabuf-lab/core/base';
import type { Operation } from './operations.js';

/** How often each kind of work is chosen, relative to the others. */
const MIX: readonly (readonly [what: Operation | 'idle', weight: number])[] = [
  ['create', 2],
  ['destroy', 1],
  ['attach', 2],
  ['detach', 1],
  ['read', 16],
  ['write', 12],
  ['map', 5],
  ['wait', 3],
  ['reopen', 1],
  ['idle', 5],
];
const TOTAL_WEIGHT = MIX.reduce((sum, [, weight]) => sum + weight, 0);

/** Draws what is to be done next. */
export function choose(random: RandomStream): Operation | 'idle' {
  let left = random.integer(TOTAL_WEIGHT);
  for (const [what, weight] of MIX) {
    if (left < weight) return what;
    left -= weight;
  }
  return 'idle';
}
