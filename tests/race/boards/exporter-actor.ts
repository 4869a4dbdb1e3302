/**
 * The exporter as one explored actor: the production `Exporter` and `BufferMover` with two heaps, whose services are asked
 * for by words and run as tasks of one loop. Requests are served before waiting tasks look again: nothing promises that a
 * wake-up comes first.
 */
import {
  type ActorServices,
  attempt,
  type CallHandler,
  type Park,
  type TableRegion,
  type Task,
  type WordIndex,
  WordPark,
  wordAt,
} from '@dmabuf-lab/core/base';
import { type BufferWords, Exporter, ExporterWords } from '@dmabuf-lab/core/dma-buf';
import type { OpenTables, SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { CmaHeap, SystemHeap, storageCosts } from '@dmabuf-lab/heaps';
import { AnyPark, type ExploredWords } from '../explorer/index.js';
import { servicesOf } from './parts.js';

const PAGE = 4096;
const BASE = 0x4000_0000;
const SYSTEM_BASE = BASE + 16 * PAGE;
/** The last address of the CMA heap: who reaches no further cannot use the system heap. */
export const CMA_LIMIT = SYSTEM_BASE - 1;
const MEMORY = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 32 * PAGE }]);

interface Request {
  readonly method: string;
  readonly args: unknown;
}
type Reply = { readonly value: unknown } | { readonly error: Error };

/** Requests and replies: objects beside two words for each caller, which tell how many there are. */
export class Mailbox {
  #requests: Request[][] = [];
  #replies: Reply[][] = [];

  constructor(
    readonly words: ExploredWords,
    private readonly table: TableRegion,
  ) {}

  get callers(): number {
    return this.table.rows;
  }

  reset(): void {
    this.#requests = Array.from({ length: this.callers }, () => []);
    this.#replies = Array.from({ length: this.callers }, () => []);
  }

  requestWord(caller: number): WordIndex {
    return wordAt(this.table, caller, 0);
  }

  request(caller: number, index: number): Request {
    return this.#requests[caller][index];
  }

  reply(caller: number, index: number, reply: Reply): void {
    this.#replies[caller][index] = reply;
    this.words.store(wordAt(this.table, caller, 1), index + 1);
    this.words.notify(wordAt(this.table, caller, 1));
  }

  /** The caller's side; made anew at each re-execution. */
  callsOf(caller: number): ActorServices['call'] {
    let count = 0;
    const mailbox = this;
    return function* <T>(_peer: string, method: string, args: unknown): Task<T> {
      const index = count;
      count += 1;
      mailbox.#requests[caller][index] = { method, args };
      mailbox.words.store(mailbox.requestWord(caller), index + 1);
      mailbox.words.notify(mailbox.requestWord(caller));
      const word = wordAt(mailbox.table, caller, 1);
      yield* attempt(() => {
        const replies = mailbox.words.load(word);
        return replies > index ? true : new WordPark(word, replies, `the answer to ${method}`);
      });
      const reply = mailbox.#replies[caller][index];
      if ('error' in reply) throw reply.error;
      return reply.value as T;
    };
  }
}

interface RunningTask {
  readonly task: Task<unknown>;
  readonly settle: (reply: Reply) => void;
  park: Park | undefined;
  /** Where its wait on a word has begun; -1 when there was nothing to wait for. */
  since: number;
}

export interface ExporterActorParts {
  readonly mailbox: Mailbox;
  readonly tables: OpenTables;
  readonly regions: SharedTables;
  readonly buffers: BufferWords;
  /** Callers that say `bye`. */
  readonly leavers: number;
  /** Before requests are served. */
  setUp(exporter: Exporter): Task<void>;
  /** Told when a task begins to wait on a word. */
  waits?(park: WordPark): void;
  /** Services beside those of the exporter; `spawn` starts a task of the actor. */
  services(exporter: Exporter, spawn: (task: Task<unknown>) => void): Record<string, CallHandler>;
}

/** Serves until each caller has said `bye`, or somebody for it, and no task is left. */
export function* exporterActor(parts: ExporterActorParts): Task<void> {
  const { mailbox, tables, buffers } = parts;
  const { words } = mailbox;
  const tasks: RunningTask[] = [];
  const spawn = (task: Task<unknown>): void => {
    const settle = (reply: Reply): void => {
      if ('error' in reply) throw reply.error;
    };
    tasks.push({ task, settle, park: undefined, since: -1 });
  };
  const services: ActorServices = { ...servicesOf(words, 1), spawn: (_name, task) => spawn(task) };
  const queues = new ExporterWords(words, parts.regions.queues);
  const policy = {
    onBusy: 'wait',
    timeoutNs: Number.POSITIVE_INFINITY,
    moveAt: 'first-map',
    moveBack: 'never',
  } as const;
  const costs = storageCosts({ copyBytesPerSecond: 1e9, zeroBytesPerSecond: 1e9 });
  const system = new SystemHeap('system', MEMORY, { base: SYSTEM_BASE, sizeBytes: 16 * PAGE });
  const cma = new CmaHeap('cma', MEMORY, { base: BASE, sizeBytes: 16 * PAGE });
  const shared = { services, buffers, queues, policy, costs };
  const exporter: Exporter = new Exporter({
    ...shared,
    heaps: [system, cma],
    mover: (storage) => new BufferMover({ ...shared, ...tables, buffers, queues, memory: MEMORY, storage }),
  });
  yield* parts.setUp(exporter);
  const handlers: Record<string, CallHandler> = { ...exporter.handlers(), ...parts.services(exporter, spawn) };

  const served = Array.from({ length: mailbox.callers }, () => 0);
  const left = new Set<unknown>();
  const serveRequests = (): AnyPark['parks'] => {
    for (;;) {
      let isServed = false;
      const parks = served.map((count, caller) => {
        const asked = words.load(mailbox.requestWord(caller));
        for (let index = count; index < asked; index += 1) {
          const { method, args } = mailbox.request(caller, index);
          const settle = (reply: Reply): void => mailbox.reply(caller, index, reply);
          if (method === 'bye') left.add(args);
          const task = method === 'bye' ? nothing() : handlers[method](args, `caller ${caller}`);
          tasks.push({ task: task as Task<unknown>, settle, park: undefined, since: -1 });
          stepTask(parts, tasks, tasks.length - 1);
          isServed = true;
        }
        served[caller] = asked;
        return { park: new WordPark(mailbox.requestWord(caller), asked, 'requests') };
      });
      if (!isServed) return parks;
    }
  };
  while (left.size < parts.leavers || tasks.length > 0) {
    const requests = serveRequests();
    let isIdle = true;
    for (let at = tasks.length - 1; at >= 0; at -= 1) if (stepTask(parts, tasks, at)) isIdle = false;
    if (!isIdle || (left.size === parts.leavers && tasks.length === 0)) continue;
    const waits = tasks.flatMap(({ park, since }) => (park?.kind === 'word' ? [{ park, since }] : []));
    yield new AnyPark([...requests, ...waits]);
  }
}

function* nothing(): Task<void> {}

/** Runs a task up to its next wait, if it can go on; takes it off the list at its end. @returns whether it could */
function stepTask({ mailbox: { words }, waits }: ExporterActorParts, tasks: RunningTask[], at: number): boolean {
  const running = tasks[at];
  const { park, since } = running;
  if (park?.kind === 'word' && since >= 0 && !words.wasNotified(park.word, since)) return false;
  let reply: Reply;
  try {
    const result = running.task.next(true);
    running.park = result.done === true ? undefined : result.value;
    const next = running.park;
    running.since = next?.kind === 'word' ? words.beginWait(next.word, next.expected) : -1;
    if (next?.kind === 'word' && running.since >= 0) waits?.(next);
    if (result.done !== true) return true;
    reply = { value: result.value };
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the sentinel of the explorer
    reply = { error };
  }
  tasks.splice(at, 1);
  running.settle(reply);
  return true;
}
