/** The actor of a driver of a stress run. */
import type { Task } from '@dmabuf-lab/core/base';
import type { SharedTables } from '@dmabuf-lab/core/driver';
import { type ActorHost, PEER_DIED, type PeerDeath } from '@dmabuf-lab/core/runtime';
import type { StressPlan } from './plan.js';
import { StressDriver, type StressDriverReport } from './stress-driver.js';
import type { StressBoard } from './stress-words.js';

/** What it starts with: plain data, and shared memory. */
export interface StressActorStart {
  /** Place among the drivers. */
  readonly index: number;
  readonly plan: StressPlan;
  readonly tables: SharedTables;
  readonly board: StressBoard;
}

export function* program(host: ActorHost, start: StressActorStart): Task<StressDriverReport> {
  const driver = new StressDriver(host, start);
  host.serve({ [PEER_DIED]: ({ actor }: PeerDeath) => driver.onDeath(actor) });
  return yield* driver.run();
}
