/**
 * Reports what has lasted too long: fences that are published and not signalled, mappings that are open.
 *
 * It only looks, from outside of all actors, at the words that they have written: a run is the same with it. What is opened
 * after a look is not due before the shortest limit has passed, so the next look need not come before that or before the
 * first of the present deadlines; whoever looks at every event misses none, and knows each to the nanosecond.
 */
import { type ActorId, actorId, MAX_RECORDS, type Nanoseconds, timelineSlot } from '../base/index.js';
import type { TimelineWords } from '../sync/index.js';
import { UseKind, type UseRecord, type UseWords } from './use-words.js';

/** How long something may last; absent = for ever. In nanoseconds of model time, more than 0. */
export interface AgeLimits {
  /** From the publishing of a fence to its signal. */
  readonly fenceNs?: Nanoseconds;
  /** From map to unmap, of a job. */
  readonly mappingNs?: Nanoseconds;
  /** From map to unmap, of a device that holds its mappings from job to job. */
  readonly heldMappingNs?: Nanoseconds;
}

/** Something that has lasted longer than its limit. */
export interface Overdue {
  readonly kind: 'fence' | 'mapping' | 'held-mapping';
  readonly actor: ActorId;
  /** How often the actor had died before. */
  readonly life: number;
  /** When the limit was passed; where time is not virtual, when that was seen. */
  readonly atNs: Nanoseconds;
  readonly sinceNs: Nanoseconds;
  readonly limitNs: Nanoseconds;
  /** The buffers that the fence is on, or the one that is mapped. */
  readonly buffers: readonly { readonly slot: number; readonly life: number; readonly generation: number }[];
  /** Only of a fence. */
  readonly fence?: { readonly timeline: number; readonly seqno: number };
}

export interface AgeWatchParts {
  readonly uses: UseWords;
  readonly timelines: TimelineWords;
  readonly limits: AgeLimits;
  /** How often an actor has died. */
  deaths(actor: ActorId): number;
  /** Whether model time has begun: what happens before is of no age. */
  hasBegun(): boolean;
  /** Whether looks come before each event of virtual time, so that a limit is known to have been passed at its very instant. */
  readonly isExact: boolean;
}

export class AgeWatch {
  /** The first `MAX_RECORDS`. */
  readonly overdue: Overdue[] = [];
  /** What is among them; no more than they are. */
  readonly #told = new Set<string>();
  /** Overdue at the last look, where there is no room; no more than there are rows. */
  #untold = new Set<string>();
  /** The same, of the look that is under way. */
  #untoldNow = new Set<string>();
  #dropped = 0;
  readonly #shortestNs: Nanoseconds;
  #nextNs: Nanoseconds;

  constructor(private readonly parts: AgeWatchParts) {
    const { fenceNs, mappingNs, heldMappingNs } = parts.limits;
    const given = [fenceNs, mappingNs, heldMappingNs].filter((ns) => ns !== undefined);
    this.#shortestNs = Math.min(Number.POSITIVE_INFINITY, ...given);
    this.#nextNs = this.#shortestNs;
  }

  /** Uses that nobody could watch, since their actor had no row for them. */
  get unwatched(): number {
    const { uses } = this.parts;
    let lost = 0;
    for (let actor = 0; actor < uses.rows / uses.rowsPerActor; actor += 1) lost += uses.lost(actor);
    return lost;
  }

  /** So many more have lasted too long. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Looks, if anything can have become due since the last look. What ends at the very instant of its limit is in time.
   *
   * @param nowNs model time; nothing of that instant has happened yet
   */
  look(nowNs: Nanoseconds): void {
    if (nowNs <= this.#nextNs || !this.parts.hasBegun()) return;
    const found: Overdue[] = [];
    this.#untoldNow = new Set();
    const fences = new Map<string, { first: Overdue; buffers: Overdue['buffers'][number][] }>();
    let nextNs = nowNs + this.#shortestNs;
    const { uses } = this.parts;
    for (let row = 0; row < uses.rows; row += 1) {
      const use = uses.read(row);
      if (use === undefined) continue;
      const mappingDueNs = this.#dueNs(use.sinceNs, this.#mappingLimit(use));
      if (mappingDueNs >= nowNs) nextNs = Math.min(nextNs, mappingDueNs);
      else if (this.#isNew(`${row} ${use.serial}`)) found.push(this.#mapping(row, use, nowNs));
      const fenceDueNs = this.#fenceDueNs(use);
      if (fenceDueNs >= nowNs) nextNs = Math.min(nextNs, fenceDueNs);
      else this.#collect(fences, row, use, nowNs);
    }
    for (const [key, { first, buffers }] of fences) if (this.#isNew(key)) found.push({ ...first, buffers });
    this.overdue.push(...found.sort((a, b) => a.atNs - b.atNs));
    this.#untold = this.#untoldNow;
    this.#nextNs = nextNs;
  }

  #mappingLimit({ kind }: UseRecord): Nanoseconds | undefined {
    const { mappingNs, heldMappingNs } = this.parts.limits;
    return kind === UseKind.Held ? heldMappingNs : mappingNs;
  }

  #dueNs(sinceNs: Nanoseconds, limitNs: Nanoseconds | undefined): Nanoseconds {
    return limitNs === undefined ? Number.POSITIVE_INFINITY : sinceNs + limitNs;
  }

  /** Of a fence that is still pending. */
  #fenceDueNs({ published }: UseRecord): Nanoseconds {
    if (published === undefined) return Number.POSITIVE_INFINITY;
    const { timeline, generation, seqno, atNs } = published;
    const isPending = this.parts.timelines.status(timelineSlot(timeline), generation, seqno) === 0;
    return isPending ? this.#dueNs(atNs, this.parts.limits.fenceNs) : Number.POSITIVE_INFINITY;
  }

  /** Each thing is reported once. What has ended never comes back, so that the last look is memory enough where there is no room. */
  #isNew(key: string): boolean {
    if (this.#told.has(key)) return false;
    const hasRoom = this.#told.size < MAX_RECORDS;
    if (hasRoom) this.#told.add(key);
    else {
      if (!this.#untold.has(key)) this.#dropped += 1;
      this.#untoldNow.add(key);
    }
    return hasRoom;
  }

  #mapping(row: number, use: UseRecord, nowNs: Nanoseconds): Overdue {
    const kind = use.kind === UseKind.Held ? 'held-mapping' : 'mapping';
    return { kind, ...this.#base(row, use, use.sinceNs, this.#mappingLimit(use) ?? 0, nowNs) };
  }

  /** A fence is on all buffers of its job, and is one thing. */
  #collect(
    fences: Map<string, { first: Overdue; buffers: Overdue['buffers'][number][] }>,
    row: number,
    use: UseRecord,
    nowNs: Nanoseconds,
  ): void {
    if (use.published === undefined) return;
    const { timeline, generation, seqno, atNs } = use.published;
    const key = `fence ${timeline} ${generation} ${seqno}`;
    const base = this.#base(row, use, atNs, this.parts.limits.fenceNs ?? 0, nowNs);
    const known = fences.get(key);
    if (known === undefined) {
      fences.set(key, { first: { kind: 'fence', ...base, fence: { timeline, seqno } }, buffers: [...base.buffers] });
    } else known.buffers.push(...base.buffers);
  }

  #base(row: number, use: UseRecord, sinceNs: Nanoseconds, limitNs: Nanoseconds, nowNs: Nanoseconds) {
    const actor = actorId(Math.floor(row / this.parts.uses.rowsPerActor));
    return {
      actor,
      life: this.parts.deaths(actor),
      atNs: this.parts.isExact ? sinceNs + limitNs : nowNs,
      sinceNs,
      limitNs,
      buffers: [{ slot: use.buffer, life: use.life, generation: use.generation }],
    };
  }
}
