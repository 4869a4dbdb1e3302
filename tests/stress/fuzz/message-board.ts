/** A real exporter behind its guard, with real heaps, and any number of calls under way: no runtime, no threads. */
import { actorId, type CallHandler, fromErrorRecord, type Park, type Task, toErrorRecord } from '@dmabuf-lab/core/base';
import { type ExportedBuffer, MessageChecks } from '@dmabuf-lab/core/dma-buf';
import { BROKEN_MESSAGE, GuardedServices, noSuchService } from '@dmabuf-lab/core/runtime';
import { TableTop } from '../../unit/core/dma-buf/table-top.js';

/** A control message as somebody sends it. */
export interface Message {
  readonly from: string;
  readonly method: string;
  readonly args: unknown;
  /** Broken by construction: it must be refused as such. */
  readonly broken: boolean;
}

/** How a call ended; `pending` while it waits. */
export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error };

interface Call {
  readonly task: Task<unknown>;
  readonly answered: (answer: Answer) => void;
  park: Park | undefined;
}

/** Never quarantined, so that all it sends is looked at; time passes between any two messages. */
const PATIENT = { messages: 64, windowNs: 0 };
export const SENDERS: ReadonlyMap<string, ReturnType<typeof actorId>> = new Map([
  ['camera', actorId(2)],
  ['gpu', actorId(3)],
  ['encoder', actorId(4)],
  ['rogue', actorId(5)],
]);
/** After so many steps of one call it is said to hang. */
const MAX_STEPS = 10_000;

export class MessageBoard {
  readonly table = new TableTop();
  readonly #checks = new MessageChecks(this.table.exporter, SENDERS);
  readonly #patient = this.#guard(PATIENT);
  readonly #strict = this.#guard();
  readonly #services = this.#patient.wrap(this.table.exporter.handlers());
  readonly #strictServices = this.#strict.wrap(this.table.exporter.handlers());
  #calls: Call[] = [];

  get pending(): number {
    return this.#calls.length;
  }

  get liveBuffers(): ExportedBuffer[] {
    return [...this.table.exporter.liveBuffers];
  }

  isQuarantined(sender: string): boolean {
    return this.#strict.records.some(({ actor, quarantinedNs }) => actor === sender && quarantinedNs !== undefined);
  }

  /** Delivers a message as a runtime does, and steps its service until it waits. @returns undefined when it waits */
  send({ from, method, args }: Message): Answer | undefined {
    const services: Readonly<Record<string, CallHandler>> = from === 'rogue' ? this.#strictServices : this.#services;
    const known = Object.hasOwn(services, method);
    const service = services[known ? method : BROKEN_MESSAGE];
    const given: unknown = known ? structuredClone(args) : noSuchService(method, 'exporter');
    let answer: Answer | undefined;
    const answered = (given: Answer): void => {
      answer = given;
    };
    const call: Call = { task: service(given, from), answered, park: undefined };
    this.#step(call, undefined);
    if (call.park !== undefined) this.#calls.push(call);
    return answer;
  }

  /** Lets time pass, and everybody go on who can. */
  pass(ns: number): void {
    this.table.nowNs += ns;
    for (const task of this.table.spawned.splice(0)) this.#calls.push({ task, answered: mustNotFail, park: undefined });
    for (const call of this.#calls) this.#poll(call);
    this.#calls = this.#calls.filter(({ park }) => park !== undefined);
  }

  /** Lets time pass until nobody waits for it any more. */
  drain(): void {
    for (;;) {
      this.pass(1);
      const until = this.#calls.map(({ park }) => (park !== undefined && 'untilNs' in park ? park.untilNs : Infinity));
      const nextNs = Math.min(...until);
      if (nextNs === Number.POSITIVE_INFINITY) return;
      this.pass(Math.max(0, nextNs - this.table.nowNs));
    }
  }

  /** All that a refused message must leave as it was. */
  state(): string {
    const { buffers } = this.table.tables;
    let text = '';
    for (const buffer of this.table.exporter.liveBuffers) {
      const { slot, life, name, allocation, reserved, dying, awaited, attachments } = buffer;
      text += `${slot}.${life} ${name} ${allocation?.heap} ${allocation?.sgTable.lengthBytes} ${reserved?.heap} `;
      text += `${dying} ${awaited.size} ${buffers.state(slot)} ${buffers.pins(slot)}`;
      for (const { slot: at, device } of attachments.values()) text += ` ${at}:${device}:${buffers.mappings(at)}`;
      text += '\n';
    }
    return text;
  }

  /** Bytes that the heaps have handed out, and those that buffers hold: they must be the same when nobody waits. */
  bytes(): { readonly out: number; readonly held: number } {
    const storage = this.liveBuffers.flatMap(({ allocation, reserved }) => [allocation, reserved]);
    const held = storage.reduce((sum, one) => sum + (one?.takenBytes ?? one?.sgTable.lengthBytes ?? 0), 0);
    return { out: this.table.system.stats().usedBytes + this.table.cma.stats().usedBytes, held };
  }

  #guard(limits?: typeof PATIENT): GuardedServices {
    const check = (method: string, args: unknown, from: string) => this.#checks.faultOf(method, args, from);
    return new GuardedServices({ now: () => this.table.nowNs }, check, limits);
  }

  #poll(call: Call): void {
    const { park } = call;
    if (park === undefined) this.#step(call, undefined);
    else if (park.kind === 'time' && park.untilNs <= this.table.nowNs) this.#step(call, undefined);
    else if (park.kind === 'word' && this.table.words.load(park.word) !== park.expected) this.#step(call, true);
    else if (park.kind === 'word' && park.untilNs <= this.table.nowNs) this.#step(call, false);
  }

  /** Steps a call until it has to wait. What it throws crosses as a runtime lets it cross. */
  #step(call: Call, value: unknown): void {
    call.park = undefined;
    try {
      for (let steps = 0; steps < MAX_STEPS; steps += 1) {
        const result = call.task.next(value);
        if (result.done === true) {
          call.answered({ ok: true, value: structuredClone(result.value) });
          return;
        }
        call.park = result.value;
        const { park } = call;
        if (park.kind !== 'word' || this.table.words.load(park.word) === park.expected) return;
        call.park = undefined;
        value = true;
      }
    } catch (error) {
      call.answered({ ok: false, error: fromErrorRecord(structuredClone(toErrorRecord(error))) });
      return;
    }
    throw new Error(`a call hangs: ${MAX_STEPS} steps and no end`);
  }
}

function mustNotFail(answer: Answer): void {
  if (!answer.ok) throw answer.error;
}
