/** A fault of the scenario: a driver sends its exporter messages that are broken, each in another way. */
import { isErrno, type Nanoseconds, type Task } from '../base/index.js';
import { EXPORTER } from '../dma-buf/index.js';
import type { ActorHost } from '../runtime/index.js';
import type { DeviceStatistics } from './statistics.js';
import type { WildTarget } from './wild-write.js';

/** What a driver does wrong, and when. */
export type Corruption =
  | { readonly what: 'messages'; readonly atNs: Nanoseconds; readonly messages: number }
  | {
      readonly what: 'words';
      readonly atNs: Nanoseconds;
      /** Absent = buffers. */
      readonly of?: WildTarget;
    };

/** What may come of a driver with a wild pointer: types, ranges, sizes, names of services, others' names. */
const BROKEN: readonly (readonly [method: string, args: unknown])[] = [
  ['attach', undefined],
  ['map', { buffer: { slot: -1, life: 1 }, attachment: 0 }],
  ['detach', { buffer: { slot: 0, life: 0 }, attachment: 2 ** 40, ended: 'maybe' }],
  [
    'create',
    { name: 'x'.repeat(100_000), pool: 'p', sizeBytes: 4096, allocate: 'deferred', expect: [], expectTimeoutNs: 0 },
  ],
  ['seal', { buffer: { slot: 0, life: Number.NaN } }],
  ['format the disk', {}],
  ['destroy', []],
  ['attach', { buffer: { slot: 0, life: 1 }, device: 'somebody else', actor: 1, constraints: {}, mapping: 'per-job' }],
];

/** Sends them at its time, one after the other. Each has to be refused: EPROTO, or EOPNOTSUPP where there is no such service. */
export function* sendBroken(
  host: ActorHost,
  statistics: DeviceStatistics,
  atNs: Nanoseconds,
  messages: number,
): Task<void> {
  if (!(yield* host.untilScenarioTime(atNs))) return;
  for (let i = 0; i < messages; i += 1) {
    const [method, args] = BROKEN[i % BROKEN.length];
    try {
      yield* host.call(EXPORTER, method, args);
      statistics.count('brokenTaken'); // which ought not to be
    } catch (error) {
      if (!isErrno(error, 'EPROTO', 'EOPNOTSUPP')) throw error;
      statistics.count(`broken${error.code}`);
    }
  }
}
