/**
 * What is taken back when an actor of a pipeline dies.
 *
 * Everything is told from what each owner has itself written: bits of holders, journals, per-attachment counts, tags of
 * locks. Nothing is subtracted on behalf of the dead. Each step may be done again: whoever comes after a reclaimer that died
 * half-way does all of it anew, and leaves the same state.
 */
import {
  type ActorId,
  type ActorServices,
  attempt,
  type BufferSlot,
  bufferSlot,
  ERRNO,
  type Task,
  timelineSlot,
} from '../base/index.js';
import { type PeerDeath, RuntimeWords } from '../runtime/index.js';
import { FRAME_OWNER, linkHolder, type PoolRegion } from './frame-words.js';
import type { RingWords } from './ring-words.js';
import type { OpenTables } from './shared-tables.js';

/** Who is at which end of what: plain data. */
export interface PipelineOwners {
  readonly links: readonly {
    /** Position of its ring. */
    readonly ring: number;
    readonly producer: ActorId;
    readonly consumer: ActorId;
    readonly pool: PoolRegion;
    /** Place among the links that carry the pool's frames. */
    readonly place: number;
  }[];
  readonly pools: readonly { readonly owner: ActorId; readonly region: PoolRegion }[];
  /** Those that feed the pipeline, and are fed by nobody. */
  readonly sources: readonly ActorId[];
  /** Timelines of an actor: `lanes` from `(actor - 1) * lanes`. */
  readonly lanesPerActor: number;
}

export interface ReclaimParts {
  readonly services: Pick<ActorServices, 'clock' | 'words'>;
  readonly tables: OpenTables;
  readonly owners: PipelineOwners;
  /** Takes back mappings, pins and attachments, and disowns the buffers that the dead had exported. */
  reclaimBuffers(dead: ActorId): void;
}

/**
 * Takes back all that a dead actor held. Idempotent.
 *
 * Waits only for pushes of living producers into its rings to end; a producer that has died as well is cleaned up after by a
 * task of its own, which sets its count of pushes to 0, so that two who die at once do not wait for each other.
 */
export function* reclaimActor(parts: ReclaimParts, death: PeerDeath): Task<void> {
  const { actor, deaths, returns } = death;
  const { tables, services, owners } = parts;
  parts.reclaimBuffers(actor);
  tables.uses?.clear(actor);
  for (let lane = 0; lane < owners.lanesPerActor; lane += 1) {
    tables.timelines.fail(timelineSlot((actor - 1) * owners.lanesPerActor + lane), ERRNO.EOWNERDEAD);
  }
  for (const slot of allBuffers(tables)) tables.resv.reclaimLock(slot, actor);
  reclaimProduced(parts, actor, returns);
  const nowNs = services.clock.now();
  for (const { owner, region } of owners.pools) {
    if (owner === actor) tables.frames.reclaimHolds(region, FRAME_OWNER, nowNs);
  }
  for (const link of owners.links) if (link.consumer === actor) yield* reclaimConsumed(parts, link);
  const runtime = new RuntimeWords(services.words);
  if (owners.sources.includes(actor)) {
    const firstNs = tables.sources.leave(actor, returns ? (death.returnsAtNs ?? 'by itself') : 'never', owners.sources);
    // Nobody else advances the scenario: to the event that starts the first one again, or to its end.
    if (firstNs !== undefined) runtime.reach(firstNs);
  }
  runtime.wakeForTime();
  runtime.countReclaimed(actor, deaths);
}

function reclaimProduced({ tables, services, owners }: ReclaimParts, actor: ActorId, returns: boolean): void {
  const nowNs = services.clock.now();
  for (const { ring, producer, pool, place } of owners.links) {
    if (producer !== actor) continue;
    const words = tables.ring(ring);
    const { frames } = tables;
    const link = linkHolder(place);
    words.reclaimProducer(
      (frame) => frames.reclaimHold(pool, frame, link, nowNs),
      () => frames.reclaimHolds(pool, link, nowNs, (frame) => frames.isBeingHandedTo(frame, link)),
    );
    frames.reclaimHandOvers(pool, link);
    if (!returns) words.close();
  }
}

function* reclaimConsumed(
  { tables, services }: ReclaimParts,
  { ring, pool, place }: PipelineOwners['links'][number],
): Task<void> {
  const words = tables.ring(ring);
  const letGo = (frame: number): void => {
    tables.frames.setReleaseFence(frame, place, undefined);
    tables.frames.reclaimHold(pool, frame, linkHolder(place), services.clock.now());
  };
  words.disable();
  yield* attempt(() => {
    drain(words, letGo);
    return words.quietStep();
  });
  drain(words, letGo);
  tables.frames.reclaimHolds(pool, linkHolder(place), services.clock.now());
}

function drain(ring: RingWords, letGo: (frame: number) => void): void {
  for (let entry = ring.tryTake(); entry !== undefined; entry = ring.tryTake()) letGo(entry.frame);
}

function* allBuffers(tables: OpenTables): Generator<BufferSlot> {
  for (let slot = 0; slot < tables.buffers.bufferCount; slot += 1) yield bufferSlot(slot);
}
