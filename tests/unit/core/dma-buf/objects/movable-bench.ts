import { physAddr } from '@dmabuf-lab/core/base';
import {
  DmaBufCaller,
  DmaBufRules,
  type DmaBufRulesOptions,
  MovableExporter,
  type MovableExporterInit,
  physicalStorage,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { type Fence, ResvObject, type ResvUsage, WwClass } from '@dmabuf-lab/core/sync';
import { FenceBench, TaskRunner } from '../../sync/fences/bench-fences.js';

const BASE = 0x4000_0000;
const PAGES = 64;
const wwClass = new WwClass('reservation_ww_class');

/** A movable buffer of two pages in 64 pages of memory, with followers and pinners at hand. */
export class MovableBench {
  readonly memory = PhysicalMemory.create([{ name: 'ram', base: BASE, sizeBytes: PAGES * PAGE_SIZE }]);
  readonly fences = new FenceBench();
  readonly runner = new TaskRunner();
  readonly rules: DmaBufRules;
  readonly freed: SgTable[] = [];
  readonly allocatedFor: string[][] = [];
  readonly exporter: MovableExporter<SgTable>;
  readonly mover = new DmaBufCaller('mover');
  #nextPage = 0;

  constructor(options: DmaBufRulesOptions = {}, init: Partial<MovableExporterInit<SgTable>> = {}) {
    this.rules = new DmaBufRules(options);
    this.exporter = new MovableExporter({
      name: 'frame',
      sizeBytes: 2 * PAGE_SIZE,
      reservation: new ResvObject(this.fences.contexts, wwClass, 'frame'),
      rules: this.rules,
      access: physicalStorage(this.memory, (table) => this.freed.push(table)),
      allocate: (devices) => {
        this.allocatedFor.push([...devices]);
        return this.table();
      },
      ...init,
    });
  }

  get buffer(): MovableExporter<SgTable>['buffer'] {
    return this.exporter.buffer;
  }

  /** Fresh storage: two pages that do not abut. */
  table(pages = 2): SgTable {
    const runs = Array.from({ length: pages }, (_, i) => {
      return { address: physAddr(BASE + (this.#nextPage + 2 * i) * PAGE_SIZE), lengthBytes: PAGE_SIZE };
    });
    this.#nextPage = (this.#nextPage + 2 * pages) % PAGES;
    return SgTable.fromRuns(runs);
  }

  byteAt(table: SgTable, page: number): number {
    return this.memory.view(table.runs[page].address, 1)[0];
  }

  addFence(caller: DmaBufCaller, usage: ResvUsage): Fence {
    const fence = this.fences.fence();
    const { reservation } = this.buffer;
    if (!caller.tryLock(reservation)) throw new Error('somebody holds the lock');
    reservation.reserveFences(1);
    reservation.addFence(fence, usage);
    caller.unlock(reservation);
    return fence;
  }
}
