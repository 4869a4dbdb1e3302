/**
 * Attach and detach while a buffer moves: a device that unmaps and detaches, or dies, while a mover waits for it; and another
 * that attaches to another buffer meanwhile, is given the slot, and keeps its buffer mapped until the move is over.
 *
 * In the end the buffer has moved and nobody waits: nobody waits for a device that has nothing to do with the buffer. No
 * mapping counts that has ended.
 */
import {
  actorId,
  attachmentSlot,
  attempt,
  bufferSlot,
  type Task,
  WordLayout,
  WordPark,
  wordAt,
} from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { type AttachedDevice, BufferWords, DmaBufImporter, type Exporter } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type Board, ExploredWords } from '../explorer/index.js';
import { CMA_LIMIT, exporterActor, Mailbox } from './exporter-actor.js';
import { servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

export type AttachMutant =
  | 'goes on waiting for a slot that was detached'
  | 'is given a slot with the counts of another';

const TABLES = layOutTables({ actors: 4, buffers: 2, attachments: 3, timelines: 1, pools: 1, frames: 1, rings: [] });
const layout = new WordLayout();
layout.table(1, TABLES.sizeBytes / 4);
const MAILBOX = layout.table(3, 16);
/** 1 once the mover has begun to wait. */
const WAITING = wordAt(layout.table(1, 16), 0, 0);
const [X, Y] = [bufferSlot(0), bufferSlot(1)];
const MOVED = 4;
const STATE_OF_X = wordAt(TABLES.buffers, X, 0);
const LENIENT: DeviceConstraints = { device: 'lenient' };
const STRICT: DeviceConstraints = { device: 'strict', addressLimit: CMA_LIMIT };

class SlotsWithCounts extends BufferWords {
  override openAttachment(): void {}
  override reclaimMappings(): void {}
}

export function attachBoard(mutant?: AttachMutant): Board {
  const words = new ExploredWords(layout.sizeBytes);
  const tables = openTables(words, TABLES, actorId(1));
  words.keepAsInitial();
  const mailbox = new Mailbox(words, MAILBOX);
  const buffers =
    mutant === 'is given a slot with the counts of another'
      ? new SlotsWithCounts(words, TABLES.buffers, TABLES.attachments)
      : tables.buffers;
  const create = (exporter: Exporter, name: string) =>
    exporter.create({
      name,
      pool: 'pool',
      sizeBytes: 4096,
      allocate: { heap: 'system' },
      expect: [],
      expectTimeoutNs: 0,
    });
  const attach = (exporter: Exporter, buffer: number, device: DeviceConstraints, id: number) => {
    const request = { buffer: { slot: bufferSlot(buffer), life: 1 }, device: device.device, actor: actorId(id) };
    return exporter.attach({ ...request, constraints: device, mapping: 'per-job' });
  };

  const tellWaiting = (): void => {
    words.store(WAITING, 1);
    words.notify(WAITING);
  };
  const exporter = () =>
    exporterActor({
      mailbox,
      tables,
      regions: TABLES,
      buffers,
      leavers: 2,
      waits({ what }) {
        if (what === 'the mappings of an importer') tellWaiting();
      },
      *setUp(production) {
        yield* create(production, 'X');
        yield* create(production, 'Y');
      },
      services: (production, spawn) => {
        let begun = false;
        // A strict device that has attached to X maps it for the first time.
        const move = function* (): Task<void> {
          if (begun) return;
          begun = true;
          const { attachment } = yield* attach(production, X, STRICT, 4);
          if (mutant === 'goes on waiting for a slot that was detached') rememberDetached(production);
          spawn(production.map({ buffer: { slot: X, life: 1 }, attachment }));
        };
        const died = function* (): Task<void> {
          production.reclaim(actorId(2));
          yield* move();
          tellWaiting(); // it may have had nobody to wait for
        };
        return { move, died };
      },
    });
  const importer = (caller: number): { calls: ReturnType<Mailbox['callsOf']>; importer: DmaBufImporter } => {
    const calls = mailbox.callsOf(caller);
    const services = { ...servicesOf(words, caller + 2), call: calls };
    const device = {
      name: `device ${caller}`,
      constraints: { ...LENIENT, device: `device ${caller}` },
      mapping: 'per-job',
    } as const;
    return { calls, importer: new DmaBufImporter(services, buffers, undefined as unknown as PhysicalMemory, device) };
  };
  const untilMoverWaits = (): Task<true> =>
    attempt(() => (words.load(WAITING) === 1 ? true : new WordPark(WAITING, 0, 'the mover to wait')));
  const detaching = function* (): Task<void> {
    const { calls, importer: own } = importer(0);
    const attachment = yield* own.attach({ slot: X, life: 1 });
    const mapping = yield* own.map(attachment, { owed: 0 });
    yield* calls('exporter', 'move', undefined);
    yield* untilMoverWaits();
    own.unmap(mapping);
    yield* own.detach(attachment);
    yield* calls('exporter', 'bye', 0);
  };
  const attaching = function* (): Task<void> {
    const { calls, importer: own } = importer(1);
    yield* untilMoverWaits();
    const attachment = yield* own.attach({ slot: Y, life: 1 });
    if (attachment.slot === 0) words.ghost(() => words.probe('a slot is given away while its buffer moves'));
    const mapping = yield* own.map(attachment, { owed: 0 });
    yield* attempt(() => {
      const state = words.load(STATE_OF_X);
      return state === MOVED ? true : new WordPark(STATE_OF_X, state, 'the end of the move');
    });
    own.unmap(mapping);
    yield* calls('exporter', 'bye', 1);
  };
  return {
    words,
    begin() {
      mailbox.reset();
      return { exporter, detaching, attaching };
    },
    mortal: ['detaching'],
    reclaimer: () =>
      function* () {
        const asked = words.load(mailbox.requestWord(0));
        if (asked > 0 && mailbox.request(0, asked - 1).method === 'bye') {
          words.notify(mailbox.requestWord(0)); // it held nothing any more, but may not have told
          return;
        }
        const calls = mailbox.callsOf(2);
        yield* calls('exporter', 'died', undefined);
        yield* calls('exporter', 'bye', 0);
      },
    end() {
      if (words.peek(STATE_OF_X) !== MOVED)
        throw new Error(`the state of X is ${words.peek(STATE_OF_X)}, not ${MOVED}`);
      for (const slot of [0, 1, 2]) {
        if (tables.buffers.mappings(attachmentSlot(slot)) !== 0) throw new Error('a mapping counts that has ended');
      }
    },
  };
}

/** Makes a mover find a detached device where it looks whether it still waits for the right one. */
function rememberDetached(exporter: Exporter): void {
  for (const { attachments } of exporter.liveBuffers) {
    const known = new Map<number, AttachedDevice>(attachments);
    const get = attachments.get.bind(attachments);
    attachments.get = (slot) => get(slot) ?? known.get(slot);
  }
}

export const ATTACH: Protocol = {
  name: 'attach, detach, with a move in flight',
  board: (mutant) => attachBoard(mutant as AttachMutant),
  mutants: ['goes on waiting for a slot that was detached', 'is given a slot with the counts of another'],
  rarePaths: ['a slot is given away while its buffer moves'],
  searches: [
    { by: 'PCT', depth: 2, crashes: 1, schedules: 60 },
    { by: 'random', crashes: 1, schedules: 25 },
    { by: 'depth first', preemptions: 0, schedules: 10, complete: 'in explore' },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 10 },
    { by: 'depth first', preemptions: 1, schedules: 10 },
  ],
};
