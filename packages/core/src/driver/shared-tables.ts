/** Lays out the control memory of a run and opens it in an actor. */
import { type ActorId, type AtomicWords, type TableRegion, WordLayout, wordAt } from '../base/index.js';
import {
  ATTACHMENT_ROW_WORDS,
  BUFFER_ROW_WORDS,
  BufferWords,
  ExporterWords,
  GuardWords,
  QUEUE_ROW_WORDS,
  RowGuards,
  USE_ROW_WORDS,
  UseWords,
} from '../dma-buf/index.js';
import { RUNTIME_WORDS } from '../runtime/index.js';
import {
  LOCK_ORDER_ROW_WORDS,
  LockOrderWords,
  RESV_ROW_WORDS,
  ResvWords,
  TIMELINE_ROW_WORDS,
  TimelineWords,
} from '../sync/index.js';
import { FRAME_ROW_WORDS } from './frame-content-words.js';
import { FrameWords, POOL_ROW_WORDS } from './frame-words.js';
import { JOB_ROW_WORDS, JobWords } from './job-words.js';
import { RingWords, ringRowWords } from './ring-words.js';
import { SOURCE_ROW_WORDS, SourceWords } from './source-words.js';

/** How much of everything a run may have. */
export interface TableCounts {
  readonly actors: number;
  readonly buffers: number;
  readonly attachments: number;
  readonly timelines: number;
  readonly pools: number;
  readonly frames: number;
  /** Depth of each ring. */
  readonly rings: readonly number[];
  /** Mappings that an actor can have open at once, where their ages are watched; absent = they are not. */
  readonly usesPerActor?: number;
  /** Orders of locks that there is room for, where reservations are locked plainly; absent = they are not. */
  readonly lockOrders?: number;
  /** The exporter opens the guard words of frames, pools, rings and queues, and everybody looks at them; absent = nobody does. */
  readonly guarded?: boolean;
}

/** Where everything lies: plain data, the same for every actor. */
export interface SharedTables {
  readonly sizeBytes: number;
  readonly buffers: TableRegion;
  readonly attachments: TableRegion;
  readonly timelines: TableRegion;
  readonly resv: TableRegion;
  readonly tickets: TableRegion;
  readonly queues: TableRegion;
  readonly pools: TableRegion;
  readonly frames: TableRegion;
  readonly jobs: TableRegion;
  readonly sources: TableRegion;
  readonly rings: readonly { readonly region: TableRegion; readonly depth: number }[];
  /** Absent = nobody watches how long mappings and fences last. */
  readonly uses?: { readonly region: TableRegion; readonly rowsPerActor: number };
  /** Absent = reservations are locked with acquire contexts. */
  readonly lockOrders?: TableRegion;
  /** Absent = nobody opens or looks at the guard words of frames, pools, rings and queues. */
  readonly guarded?: true;
}

export function layOutTables(counts: TableCounts): SharedTables {
  const layout = new WordLayout();
  layout.table(1, RUNTIME_WORDS);
  const tables = {
    buffers: layout.table(counts.buffers, BUFFER_ROW_WORDS),
    attachments: layout.table(counts.attachments, ATTACHMENT_ROW_WORDS),
    timelines: layout.table(counts.timelines, TIMELINE_ROW_WORDS),
    resv: layout.table(counts.buffers, RESV_ROW_WORDS),
    tickets: layout.table(1, 16),
    queues: layout.table(counts.buffers + 1, QUEUE_ROW_WORDS),
    pools: layout.table(counts.pools, POOL_ROW_WORDS),
    frames: layout.table(counts.frames, FRAME_ROW_WORDS),
    jobs: layout.table(counts.actors + 1, JOB_ROW_WORDS),
    sources: layout.table(counts.actors + 1, SOURCE_ROW_WORDS),
    rings: counts.rings.map((depth) => ({ region: layout.table(1, ringRowWords(depth)), depth })),
  };
  const { actors, usesPerActor, lockOrders: orders } = counts;
  const uses = usesPerActor && {
    region: layout.table((actors + 1) * usesPerActor, USE_ROW_WORDS),
    rowsPerActor: usesPerActor,
  };
  const lockOrders = orders && layout.table(orders + 1, LOCK_ORDER_ROW_WORDS);
  return {
    ...tables,
    ...(uses && { uses }),
    ...(lockOrders && { lockOrders }),
    ...(counts.guarded === true && { guarded: true }),
    sizeBytes: layout.sizeBytes,
  };
}

/** The tables as an actor uses them. */
export interface OpenTables {
  readonly buffers: BufferWords;
  readonly guards: GuardWords;
  readonly timelines: TimelineWords;
  readonly resv: ResvWords;
  readonly queues: ExporterWords;
  readonly frames: FrameWords;
  readonly jobs: JobWords;
  readonly sources: SourceWords;
  /** Absent = nobody watches how long mappings and fences last. */
  readonly uses?: UseWords;
  /** Absent = reservations are locked with acquire contexts. */
  readonly lockOrders?: LockOrderWords;
  ring(index: number): RingWords;
}

/** The guards of the tables whose rows are the same in the whole run; undefined where nobody looks at them. */
export function rowGuardsOf(words: AtomicWords, tables: SharedTables): TableGuards | undefined {
  if (tables.guarded === undefined) return undefined;
  return {
    queues: new RowGuards(words, tables.queues),
    pools: new RowGuards(words, tables.pools),
    frames: new RowGuards(words, tables.frames),
    rings: tables.rings.map(({ region }) => new RowGuards(words, region)),
  };
}

/** The guards of the control words that are not those of buffers (`GuardWords`), one for each table. */
export interface TableGuards {
  readonly queues: RowGuards;
  readonly pools: RowGuards;
  readonly frames: RowGuards;
  /** One for each ring, by its index. */
  readonly rings: readonly RowGuards[];
}

export function openTables(words: AtomicWords, tables: SharedTables, actor: ActorId): OpenTables {
  const guards = rowGuardsOf(words, tables);
  return {
    buffers: new BufferWords(words, tables.buffers, tables.attachments),
    guards: new GuardWords(words, tables.buffers, tables.attachments, tables.resv, tables.timelines),
    timelines: new TimelineWords(words, tables.timelines),
    resv: new ResvWords(words, tables.resv, wordAt(tables.tickets, 0, 0)),
    queues: new ExporterWords(words, tables.queues),
    frames: new FrameWords(words, tables.pools, tables.frames, guards),
    jobs: new JobWords(words, tables.jobs, actor),
    sources: new SourceWords(words, tables.sources),
    ...(tables.uses && { uses: new UseWords(words, tables.uses.region, tables.uses.rowsPerActor) }),
    ...(tables.lockOrders && { lockOrders: new LockOrderWords(words, tables.lockOrders) }),
    ring: (index) => new RingWords(words, tables.rings[index].region, tables.rings[index].depth, guards?.rings[index]),
  };
}
