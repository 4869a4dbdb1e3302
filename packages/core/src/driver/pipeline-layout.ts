/** Where the pools, links and tables of a pipeline lie, and what the actor of each of its devices starts with. */
import { type ActorId, actorId } from '../base/index.js';
import type { DriverStart } from './driver-program.js';
import type { FrameFormat } from './frame-format.js';
import type { LinkSpec, PoolSpec, QueuePolicy } from './port-parts.js';
import type { PipelineOwners } from './reclaim.js';
import { layOutTables, type SharedTables } from './shared-tables.js';

/** Lanes that a device may have: frames it serves at once. */
export const LANES_PER_DEVICE = 8;

/** The first of a device's timelines. */
export const firstTimelineOf = (actor: ActorId): number => (actor - 1) * LANES_PER_DEVICE;

/** The actor that exports the buffers of a pipeline. */
export const EXPORTER_ACTOR: ActorId = actorId(1);

/** The actor of a device, by its place among the devices. */
export const deviceActor = (index: number): ActorId => actorId(index + 2);

/** What a pipeline is made of, by names: a port is `device.port`. */
export interface PipelineShape {
  /** In start order. */
  readonly devices: readonly string[];
  readonly pools: readonly PoolShape[];
  readonly links: readonly LinkShape[];
  /** Outputs that pass frames on from an input instead of owning a pool: port to port. */
  readonly forwards: ReadonlyMap<string, string>;
  /** Whether anybody may die and come back: what the dead have left is there beside what their next lives make. */
  readonly mayDie: boolean;
  /** Whether the age of each mapping is written down. */
  readonly agesUses?: boolean;
  /** Whether reservations are locked one after the other, without acquire contexts, and in which orders is written down. */
  readonly locksPlainly?: boolean;
}

/** A pool, named after the output that owns it. */
export interface PoolShape extends Omit<PoolSpec, 'region'> {
  /** Buffers that it may grow to. */
  readonly limit: number;
}

export interface LinkShape {
  readonly from: string;
  readonly to: string;
  readonly policy: QueuePolicy;
  /** Frames that wait in it at most; absent = as many as its pool may have. */
  readonly depth?: number;
}

/** A pipeline whose every part has its place. */
export interface LaidOutPipeline {
  readonly tables: SharedTables;
  readonly pools: ReadonlyMap<string, PoolSpec>;
  readonly links: readonly LinkSpec[];
  /** Who is at which end of what, for the one that cleans up after the dead. */
  readonly owners: PipelineOwners;
  /** The actors of the devices. */
  readonly actors: ReadonlyMap<string, ActorId>;
}

/** Mappings that an actor may have open beyond one held and one of a job for each frame of the run. */
const USES_BESIDE_FRAMES = 8 * LANES_PER_DEVICE;

/** Orders of two locks that are written down in a run. */
const MAX_LOCK_ORDERS = 4_095;

/** Buffers that a life of an actor may leave behind, in multiples of what the pools hold. */
const LIVES = 4;

/** Gives every part of a pipeline its place. Pure. */
export function layOutPipeline(shape: PipelineShape): LaidOutPipeline {
  const { devices, mayDie } = shape;
  const pools = layOutPools(shape.pools);
  const links = shape.links.map((_, index) => layOutLink(shape, pools, index));
  const frames = Math.max(
    1,
    shape.pools.reduce((sum, { limit }) => sum + limit, 0),
  );
  const lives = mayDie ? LIVES : 1;
  const actorCount = devices.length + 1;
  const tables = layOutTables({
    actors: actorCount,
    buffers: frames * lives,
    attachments: frames * lives * actorCount,
    timelines: actorCount * LANES_PER_DEVICE,
    pools: Math.max(1, pools.size),
    frames,
    rings: shape.links.map(({ depth }, i) => depth ?? links[i].pool.limit),
    ...(shape.agesUses === true && { usesPerActor: 2 * frames + USES_BESIDE_FRAMES }),
    guarded: true,
    ...(shape.locksPlainly === true && { lockOrders: MAX_LOCK_ORDERS }),
  });
  const actors = new Map(devices.map((name, i) => [name, deviceActor(i)]));
  return { tables, pools, links, owners: ownersOf(devices, pools, links), actors };
}

/** The ports of a device, as its actor starts with them; of a source, also who the sources are. */
export function portsOf(
  { pools, links, owners, actors }: LaidOutPipeline,
  device: string,
  outputs: Readonly<Record<string, FrameFormat>>,
): Pick<DriverStart, 'inputs' | 'outputs' | 'sources'> {
  const { sources } = owners;
  const actor = actors.get(device);
  return {
    ...(actor !== undefined && sources.includes(actor) && { sources }),
    inputs: links
      .filter(({ to }) => deviceOf(to) === device)
      .map((link) => ({ port: link.to.slice(device.length + 1), link })),
    outputs: Object.entries(outputs).map(([port, format]) => {
      const name = `${device}.${port}`;
      const pool = pools.get(name);
      const linked = links.filter(({ from }) => from === name);
      // What an output passes on has the format of the pool that its links carry.
      return { port, format: pool?.format ?? linked[0]?.format ?? format, pool, links: linked };
    }),
  };
}

const deviceOf = (port: string): string => port.slice(0, port.indexOf('.'));

function layOutPools(shapes: readonly PoolShape[]): Map<string, PoolSpec> {
  const pools = new Map<string, PoolSpec>();
  let firstFrame = 0;
  for (const { limit, ...pool } of shapes) {
    pools.set(pool.name, { ...pool, region: { row: pools.size, firstFrame, limit } });
    firstFrame += limit;
  }
  return pools;
}

function layOutLink(shape: PipelineShape, pools: ReadonlyMap<string, PoolSpec>, index: number): LinkSpec {
  const { from, to, policy } = shape.links[index];
  const pool = poolOf(shape, pools, from);
  // Every link that carries frames of one pool has a place of its own for release fences.
  const sharing = shape.links.filter((other) => poolOf(shape, pools, other.from) === pool);
  return {
    index,
    from,
    to,
    policy,
    pool: pool.region,
    consumer: sharing.indexOf(shape.links[index]),
    initialBuffers: pool.initialBuffers,
    format: pool.format,
  };
}

/** The pool whose frames an output carries: its own, or that of the input it forwards. */
function poolOf(shape: PipelineShape, pools: ReadonlyMap<string, PoolSpec>, output: string): PoolSpec {
  const own = pools.get(output);
  if (own !== undefined) return own;
  const link = shape.links.find(({ to }) => to === shape.forwards.get(output));
  if (link === undefined) throw new Error(`output ${output} forwards an input that is linked to nothing`);
  return poolOf(shape, pools, link.from);
}

function ownersOf(
  devices: readonly string[],
  pools: ReadonlyMap<string, PoolSpec>,
  links: readonly LinkSpec[],
): PipelineOwners {
  const idOf = (port: string): ActorId => deviceActor(devices.indexOf(deviceOf(port)));
  return {
    links: links.map(({ index, from, to, pool, consumer }) => {
      return { ring: index, producer: idOf(from), consumer: idOf(to), pool, place: consumer };
    }),
    pools: [...pools.values()].map(({ name, region }) => ({ owner: idOf(name), region })),
    sources: devices.flatMap((device, i) => {
      return links.some(({ to }) => deviceOf(to) === device) ? [] : [deviceActor(i)];
    }),
    lanesPerActor: LANES_PER_DEVICE,
  };
}
