import type { ActorServices } from '../base/index.js';
import type { AllocationRequest, DmaBufImporter } from '../dma-buf/index.js';
import type { AccessWatch } from './access-watch.js';
import type { FrameFormat } from './frame-format.js';
import type { PoolRegion } from './frame-words.js';
import type { OpenTables } from './shared-tables.js';
import type { DeviceStatistics } from './statistics.js';

/** What the ports of a driver work with. */
export interface PortParts {
  readonly services: ActorServices;
  readonly tables: OpenTables;
  readonly importer: DmaBufImporter;
  readonly statistics: DeviceStatistics;
  /** Is told of new buffers; absent = nobody is. */
  readonly watch?: AccessWatch;
}

/** What happens to a frame that is pushed where the link is full: see `OutputPort.push`. */
export type QueuePolicy = 'block' | 'drop-oldest' | 'drop-newest' | 'error';

/** A link between an output and an input: plain data. */
export interface LinkSpec {
  /** Position among the links of the run: its ring. */
  readonly index: number;
  readonly from: string;
  readonly to: string;
  readonly policy: QueuePolicy;
  /** The pool whose frames it carries, and its position among that pool's links. */
  readonly pool: PoolRegion;
  readonly consumer: number;
  /** Buffers that the pool has from the start. */
  readonly initialBuffers: number;
  readonly format: FrameFormat;
}

/** A pool that an output owns: plain data. */
export interface PoolSpec {
  readonly name: string;
  readonly region: PoolRegion;
  readonly initialBuffers: number;
  readonly format: FrameFormat;
  readonly allocate: AllocationRequest;
  readonly movable: boolean;
  readonly expect: readonly string[];
  readonly expectTimeoutNs: number;
}
