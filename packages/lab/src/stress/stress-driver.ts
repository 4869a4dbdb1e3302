/** A driver of a stress run: lanes that do one operation after another until the run is over, and then let go of all. */
import { attempt, type Task } from '@dmabuf-lab/core/base';
import { firstTimelineOf, PipelineLane } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { Timeline } from '@dmabuf-lab/core/sync';
import { choose } from './operation-mix.js';
import type { StressActorStart } from './stress-actor.js';
import { isIdle, type StressLane, StressOperations } from './stress-operations.js';
import { LANES } from './stress-words.js';

/** What is left with a driver that has ended, which ought to be nothing. */
export interface StressDriverReport {
  readonly pendingFences: number;
  readonly iovaRanges: number;
  readonly mappings: number;
}

/** A lane looks for buffers that are to be let go of after so many operations. */
const SWEEP_EVERY = 8;

export class StressDriver {
  #lanesAtWork = 0;

  /** @param operations what it does; a test gives it some that break a rule */
  constructor(
    private readonly host: ActorHost,
    private readonly start: StressActorStart,
    private readonly operations = new StressOperations(host, start),
  ) {}

  /** Lets go of the buffers of an exporter that has died. */
  *onDeath(actor: ActorHost['id']): Task<void> {
    yield* this.operations.importer.leaveOrphans(actor);
  }

  *run(): Task<StressDriverReport> {
    const { host } = this;
    const { words, tables, importer, checker } = this.operations;
    const lanes = Array.from({ length: LANES }, (_, i): StressLane => {
      const timeline = new Timeline(tables.timelines, (firstTimelineOf(host.id) + i) as never);
      const random = host.random(`lane ${i}, life ${host.life}`);
      return { number: checker.lane(i), lane: new PipelineLane(timeline), random };
    });
    // What the life before had listed has no exporter any more.
    for (const listing of this.operations.ownListings()) words.list(listing, undefined);
    for (const { number } of lanes) words.endOperation(number);
    yield* host.ready();
    for (const lane of lanes) {
      this.#lanesAtWork += 1;
      host.spawn(`lane ${lane.number}`, this.#work(lane));
    }
    yield* attempt(() => tables.jobs.whenStep(() => this.#lanesAtWork === 0));
    yield* this.#letGoOfAll(lanes[0]);
    words.addToRun('ended');
    let mappings = 0;
    for (const { mapCount } of importer.attachments) mappings += mapCount;
    const pendingFences = lanes.reduce((sum, { lane }) => sum + lane.timeline.pending, 0);
    return { pendingFences, iovaRanges: importer.iovaRanges, mappings };
  }

  *#work(lane: StressLane): Task<void> {
    for (let count = 1; !this.isOver; count += 1) {
      yield* this.operations.perform(lane, choose(lane.random));
      if (count % SWEEP_EVERY === 0) yield* this.#sweep(lane);
    }
    this.#lanesAtWork -= 1;
    this.operations.tables.jobs.countEnded();
  }

  get isOver(): boolean {
    const { host, start } = this;
    return host.words.load(host.stopWord) !== 0 || host.clock.now() >= start.plan.durationNs;
  }

  // ---- letting go ----

  /** Lets go of buffers that are not listed any more: their owners wait for it. */
  *#sweep(lane: StressLane): Task<void> {
    const { words, importer } = this.operations;
    const listed = new Set<string>();
    for (let listing = 0; listing < words.listingCount; listing += 1) {
      const handle = words.listed(listing);
      if (handle !== undefined) listed.add(`${handle.slot}/${handle.life}`);
    }
    const gone = [...importer.attachments].filter(({ buffer }) => !listed.has(`${buffer.slot}/${buffer.life}`));
    if (gone.length === 0) return;
    if (gone.some((attachment) => !isIdle(attachment))) yield* this.operations.reopen(lane);
    for (const attachment of gone) if (isIdle(attachment)) yield* this.operations.detachFrom(lane, attachment);
  }

  *#letGoOfAll(lane: StressLane): Task<void> {
    const { words, importer } = this.operations;
    for (const listing of this.operations.ownListings()) {
      const handle = words.listed(listing);
      if (handle === undefined) continue;
      words.list(listing, undefined);
      this.operations.destroyLater(handle, lane);
    }
    yield* importer.letGo(true);
    for (const attachment of [...importer.attachments]) {
      if (isIdle(attachment)) yield* this.operations.detachFrom(lane, attachment);
    }
    yield* this.operations.untilDestroyed();
  }
}
