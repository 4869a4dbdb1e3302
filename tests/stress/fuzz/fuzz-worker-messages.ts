/** Posts random messages to a runtime as the module of a driver can: none may throw there, or make it grow. */
import { RandomStream } from '@dmabuf-lab/core/base';
import { ThreadsRuntime, WorkerMessages } from '@dmabuf-lab/core/runtime';
import { scriptedSpec } from '../../unit/core/runtime/scripted-run.js';
import { isPlain, JUNK } from './messages.js';

export interface WorkerFuzzReport {
  readonly messages: number;
  /** By kind, or `none`: how many were taken, were counted as broken, and would have ended their worker. */
  readonly outcomes: Readonly<Record<string, number>>;
}

interface Posted {
  readonly what: unknown;
  /** Known by construction; absent: it may be either. */
  readonly inOrder?: boolean;
}
/** The worker of an actor, as far as a message goes. */
type Worker = Parameters<ThreadsRuntime['onPosted']>[0];

/** Numbers that a text can have. */
const MAX_TEXTS = 4097;

/**
 * @param count of messages
 * @throws Error with seed, number and message at the first that is not dealt with as it must
 */
export function fuzzWorkerMessages(seed: number, count: number): WorkerFuzzReport {
  // Never quarantined, so that all of them are looked at.
  const quarantine = { messages: count + 1, windowNs: 0 };
  const spec = { ...scriptedSpec({ rogue: [] }), quarantine };
  const runtime = new ThreadsRuntime(spec, { pace: 'real' });
  const texts = new Map<number, string>();
  // It has never run, so there is nothing to end.
  const worker = { spec: spec.actors[0], name: 'rogue', life: 0, texts } as unknown as Worker;
  const messages = new WorkerMessages({ now: () => 0 }, quarantine);
  const source = new PostedSource(new RandomStream(seed, 'fuzz.worker-messages'));
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { what, inOrder } = source.next();
    const posted: unknown = structuredClone(what);
    try {
      const checked = messages.check('rogue', posted);
      const outcome = checked === undefined ? 'counted' : 'end' in checked ? 'ended' : 'taken';
      if (inOrder !== undefined && inOrder !== (outcome === 'taken')) throw new Error(`it was ${outcome}`);
      runtime.onPosted(worker, posted);
      if (texts.size > MAX_TEXTS) throw new Error(`the main thread keeps ${texts.size} texts`);
      const key = `${kindOf(posted)} ${outcome}`;
      outcomes[key] = (outcomes[key] ?? 0) + 1;
    } catch (error) {
      const shown = JSON.stringify(what, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value));
      throw new Error(`seed ${seed}, worker message ${i} (${shown?.slice(0, 1000)}): ${(error as Error).stack}`);
    }
  }
  return { messages: count, outcomes };
}

const KINDS = ['done', 'ready', 'serving', 'reclaimed', 'journal', 'text', 'failed'] as const;
const kindOf = (posted: unknown): string => {
  const kind = (posted as { kind?: unknown } | null | undefined)?.kind;
  return KINDS.find((one) => one === kind) ?? 'none';
};

class PostedSource {
  constructor(private readonly random: RandomStream) {}

  next(): Posted {
    const what = this.#inOrder();
    const draw = this.random.uniform();
    if (draw < 0.25) return { what, inOrder: true };
    if (draw < 0.35) return { what: this.#of(JUNK)(), inOrder: false };
    if (draw < 0.45) return { what: { ...what, kind: this.#of(JUNK)() }, inOrder: false };
    if (draw < 0.55) return { what: { ...what, surplus: 1 }, inOrder: false };
    const spoilt = structuredClone(what);
    for (let i = this.random.integer(3); i >= 0; i -= 1) this.#spoil(spoilt);
    return { what: spoilt };
  }

  #inOrder(): Record<string, unknown> {
    const kind = this.#of(KINDS);
    const number = 1 + this.random.integer(MAX_TEXTS);
    if (kind === 'reclaimed') return { kind, actor: 1 + this.random.integer(4), deaths: number };
    if (kind === 'journal') return { kind, key: `buffer/${number}`, value: this.#of(JUNK)() };
    if (kind === 'text') return { kind, number, text: `a wait ${number}` };
    if (kind === 'failed') {
      const details = { peer: 'exporter' };
      const error = { name: 'ErrnoError', message: 'm', stack: 's', code: 'ENODEV', op: 'map', details };
      return { kind, error: this.random.uniform() < 0.5 ? error : { name: 'Error', message: '' } };
    }
    if (kind !== 'done') return { kind };
    const event = { track: 'gpu', name: 'job', startNs: number, durationNs: 5, args: { frame: 1 } };
    return {
      kind,
      report: this.#of(JUNK)(),
      trace: Array(this.random.integer(4)).fill(event),
      controlCalls: { map: 3 },
    };
  }

  /** Changes one thing in it, however deep. */
  #spoil(record: object): void {
    const fields = record as Record<string, unknown>;
    const keys = Object.keys(fields);
    if (keys.length === 0) return;
    const key = this.#of(keys);
    const value = fields[key];
    if (isPlain(value) && this.random.uniform() < 0.7) this.#spoil(value);
    else if (this.random.uniform() < 0.3) delete fields[key];
    else fields[key] = this.#of(JUNK)();
  }

  #of<T>(list: readonly T[]): T {
    return list[this.random.integer(list.length)];
  }
}
