/** The exporter's actor of a stress run: that of a scenario, watched; and at the end, whether all has come back. */
import { type BufferSlot, bufferSlot, type CallHandler, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type {
  AttachReply,
  AttachRequest,
  BufferHandle,
  CreateRequest,
  MapReply,
  MapRequest,
} from '@dmabuf-lab/core/dma-buf';
import { generationOf } from '@dmabuf-lab/core/dma-buf';
import { type OpenExporter, openPipelineExporter } from '@dmabuf-lab/core/driver';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { type ActorHost, PEER_DIED, type PeerDeath, RuntimeWords } from '@dmabuf-lab/core/runtime';
import { DmaResv, ResvUsage } from '@dmabuf-lab/core/sync';
import { storageCosts } from '@dmabuf-lab/heaps';
import { EVENT, logDeath } from '../history/index.js';
import { makeHeaps } from '../run/board.js';
import type { ExporterStart } from '../run/exporter-actor.js';
import { failingHeap, lateCopies } from './failing-heap.js';
import { FaultSites } from './fault-sites.js';
import { pressHeap } from './heap-pressure.js';
import { OPERATIONS } from './operations.js';
import { boundOf, driverActor, listingsOf, nameOfActor, pauseOf, type StressPlan } from './plan.js';
import { leftOfDead } from './reclaim-audit.js';
import { StressChecks } from './stress-checks.js';
import { LANES, type StressBoard, StressWords } from './stress-words.js';

export interface StressExporterStart {
  readonly exporter: ExporterStart;
  readonly plan: StressPlan;
  readonly board: StressBoard;
}

/** What is left when all have ended, which ought to be nothing. */
export interface StressLedger {
  readonly buffers: number;
  readonly attachments: number;
  readonly mappings: number;
  readonly pins: number;
  readonly locks: number;
  readonly pendingFences: number;
  readonly bytes: number;
  /** Lanes that are in the middle of an operation. */
  readonly waiting: number;
}

export interface StressExporterReport {
  readonly ledger: StressLedger;
  readonly moves: { readonly moved: number; readonly refused: number; readonly timedOut: number };
  readonly bytesCopied: number;
  /** Freed, and looked at before they were used again, in all lives of the exporter. */
  readonly freedBytesChecked: number;
}

/** How long what was let go of may take to come back once all have ended. */
const SETTLE_STEPS = 2000;
const SETTLE_NS = 1_000_000;
/** How long freed pages are kept from reuse at most, in pauses of a driver: some operations on each buffer. */
const FREED_PAUSES = 16;
/** How often the lanes are looked at. */
const WATCH_NS = 100_000_000;

export function* program(host: ActorHost, start: StressExporterStart): Task<StressExporterReport> {
  const { plan } = start;
  const words = new StressWords(start.board);
  const sites = new FaultSites(host, words, plan);
  const { board, bandwidths } = start.exporter;
  const open = openPipelineExporter(host, start.exporter, {
    heaps: (...made) => makeHeaps(board, ...made).map((heap) => failingHeap(heap, sites)),
    costs: lateCopies(storageCosts(bandwidths), sites),
  });
  // What a worn heap has lost is nobody's. Later lives begin with buffers.
  if (host.life === 0) words.setRun('worn', usedBytes(open) / PAGE_SIZE);
  const wornBytes = words.runCount('worn') * PAGE_SIZE;
  const checks = new StressChecks({
    ...{ open, words, lane: host.id * LANES, life: host.life, now: () => host.clock.now() },
    onViolation: () => new RuntimeWords(host.words).stop(),
  });
  watchServices(host, open, words, plan, { checks, sites });
  yield* host.ready();
  if (plan.heapPressure > 0) {
    const pressure = { share: plan.heapPressure, meanNs: 10 * pauseOf(plan), untilNs: plan.durationNs };
    for (const heap of open.heaps) host.spawn(`pressure on ${heap.name}`, pressHeap(host, heap, pressure));
  }
  host.spawn('watch', watchLanes(host, plan, words));
  const isOver = (): boolean => words.runCount('ended') >= plan.drivers || host.clock.now() >= plan.durationNs;
  host.spawn('freed pages', checks.lookAtFreed(FREED_PAUSES * pauseOf(plan), isOver));
  yield* host.untilOthersEnd();
  checks.end();
  let ledger = ledgerOf(open, words, wornBytes);
  // What the last detach set going may still be under way.
  for (let step = 0; step < SETTLE_STEPS && !isEmpty(ledger); step += 1) {
    yield* sleepUntil(host.clock.now() + SETTLE_NS, 'the last buffers to come back');
    ledger = ledgerOf(open, words, wornBytes);
  }
  return reportOf(open, ledger, words.runCount('freed') * PAGE_SIZE);
}

export const isEmpty = (ledger: StressLedger): boolean => Object.values(ledger).every((left) => left === 0);

/**
 * Puts what the exporter is asked into the histories, and who dies while touching; looks after each service what the checkers have
 * found.
 */
function watchServices(
  host: ActorHost,
  { exporter, tables, reclaim, guard }: OpenExporter,
  words: StressWords,
  plan: StressPlan,
  { checks, sites }: { readonly checks: StressChecks; readonly sites: FaultSites },
): void {
  const handlers = exporter.handlers();
  const log = (slot: BufferSlot, kind: keyof typeof EVENT, value: number): void =>
    words.log(slot, host.clock.now(), host.id * LANES, host.life, EVENT[kind], value, 0);
  const moved = (slot: BufferSlot, state: number): void => {
    words.addToRun('moves');
    log(slot, 'moved', generationOf(state));
  };
  const watched = {
    ...handlers,
    *attach(request: AttachRequest, from: string): Task<AttachReply> {
      const reply = (yield* handlers.attach(request, from)) as AttachReply;
      if (reply.moved) words.addToRun('moves');
      return reply;
    },
    *create(request: CreateRequest, from: string): Task<BufferHandle> {
      const handle = (yield* handlers.create(request, from)) as BufferHandle;
      checks.opened(request.name, handle);
      return handle;
    },
    *map(request: MapRequest, from: string): Task<MapReply> {
      const reply = (yield* handlers.map(request, from)) as MapReply;
      if (reply.did === 'moving') moved(request.buffer.slot, reply.state);
      return reply;
    },
  };
  const services = Object.entries(guard.wrap(watched)).map(([method, serve]): [string, CallHandler] => [
    method,
    function* (args: unknown, from: string): Task<unknown> {
      try {
        const reply: unknown = yield* serve(args, from);
        yield* sites.late('exporter-reply');
        return reply;
      } finally {
        checks.look();
      }
    },
  ]);
  host.serve(Object.fromEntries(services));
  host.serve({
    *[PEER_DIED](death: PeerDeath): Task<void> {
      for (let lane = death.actor * LANES; lane < (death.actor + 1) * LANES; lane += 1) words.endOperation(lane);
      // What it had listed has no exporter any more; its next life begins once this is done.
      for (const listing of listingsOf(plan, death.actor - driverActor(0))) words.list(listing, undefined);
      if (words.countDeath(death.actor, death.deaths)) logDeath(words, death.actor, death.deaths, host.clock.now());
      yield* reclaim(death);
      const left = leftOfDead(tables, exporter.liveBuffers, death.actor);
      if (left.length === 0) return;
      words.violation(
        `${death.name} has died and is reclaimed, but left ${left.join(', ')}`,
        undefined,
        host.id * LANES,
      );
      new RuntimeWords(host.words).stop();
    },
  });
}

/** Looks whether an operation takes longer than anything may, and stops the run when one does. */
function* watchLanes(host: ActorHost, plan: StressPlan, words: StressWords): Task<void> {
  const boundNs = boundOf(plan);
  while (words.runCount('ended') < plan.drivers) {
    yield* sleepUntil(host.clock.now() + WATCH_NS, 'the lanes');
    const nowNs = host.clock.now();
    for (let lane = LANES; lane < words.laneCount; lane += 1) {
      const doing = words.doing(lane);
      if (doing === undefined || nowNs - doing.sinceNs < boundNs) continue;
      const who = `lane ${lane % LANES} of ${nameOfActor(Math.floor(lane / LANES))}`;
      const what = OPERATIONS[doing.operation];
      words.violation(`waited without an end: ${who} has been in ${what} since ${doing.sinceNs} ns`, undefined, lane);
      words.endOperation(lane); // told once
      new RuntimeWords(host.words).stop();
    }
    if (nowNs < plan.durationNs + boundNs) continue;
    const missing = plan.drivers - words.runCount('ended');
    words.violation(
      `${missing} drivers have not ended ${boundNs} ns after the faults stopped`,
      undefined,
      driverActor(0) * LANES,
    );
    return;
  }
}

const usedBytes = ({ heaps }: OpenExporter): number => heaps.reduce((sum, heap) => sum + heap.stats().usedBytes, 0);

function ledgerOf(open: OpenExporter, words: StressWords, wornBytes: number): StressLedger {
  const { exporter, tables } = open;
  const { buffers, resv, timelines } = tables;
  const live = [...exporter.liveBuffers];
  const attached = live.flatMap((buffer) => [...buffer.attachments.keys()]);
  let locks = 0;
  let pendingFences = 0;
  for (let i = 0; i < buffers.bufferCount; i += 1) {
    const slot = bufferSlot(i);
    if (resv.lockOwner(slot) !== 0) locks += 1;
    if (!new DmaResv(resv, timelines, slot).testSignalled(ResvUsage.Bookkeep)) pendingFences += 1;
  }
  let waiting = 0;
  for (let lane = LANES; lane < words.laneCount; lane += 1) if (words.doing(lane) !== undefined) waiting += 1;
  return {
    buffers: live.length,
    attachments: attached.length,
    mappings: attached.reduce((sum, slot) => sum + buffers.mappings(slot), exporter.leakedMappings),
    pins: attached.reduce((sum, slot) => sum + buffers.pinsOf(slot), 0),
    locks,
    pendingFences,
    bytes: usedBytes(open) - wornBytes,
    waiting,
  };
}

function reportOf(
  { exporter, mover }: OpenExporter,
  ledger: StressLedger,
  freedBytesChecked: number,
): StressExporterReport {
  const { moved, refused, timedOut } = exporter.tally;
  return {
    ledger,
    moves: { moved, refused, timedOut },
    bytesCopied: mover.bytesCopied,
    freedBytesChecked,
  };
}
