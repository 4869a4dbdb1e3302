/**
 * Services that check what they are sent, count what is broken, and stop listening to who sends too much of it.
 *
 * A broken message is answered with EPROTO, naming the sender, the field and what was expected, and reaches no service. A
 * sender of too many within a window of model time is quarantined: all its further calls are answered at once, unread.
 */
import { type CallHandler, type Clock, ErrnoError, type Journal, type Nanoseconds, type Task } from '../base/index.js';
import { BROKEN_MESSAGE, type BrokenMessage } from './actor.js';

/** When a sender of broken messages is not listened to any more. */
export interface QuarantineLimits {
  /** How many within the window; 1 or more. */
  readonly messages: number;
  readonly windowNs: Nanoseconds;
}

export const DEFAULT_QUARANTINE: QuarantineLimits = { messages: 8, windowNs: 1_000_000_000 };

const MAX_REASON_LENGTH = 200;
/** In the journal: the record of a sender, by its name. */
const BROKEN = 'broken/';

/** What is kept of a sender of broken messages: one record, however many it sends. */
export interface BrokenMessages {
  readonly actor: string;
  /** Messages that were broken. */
  count: number;
  /** When the first came, and what was wrong with it. */
  readonly firstNs: Nanoseconds;
  readonly reason: string;
  /** Since when nothing of it is read; absent = it is listened to. */
  quarantinedNs?: Nanoseconds;
  /** Messages answered unread since then. */
  unread: number;
}

/** What is wrong with a message. */
export interface MessageFault {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
}

/** Finds what is wrong with a call; undefined when a service may have it. Must not throw. */
export type MessageCheck = (method: string, args: unknown, from: string) => MessageFault | undefined;

interface Sender {
  readonly record: BrokenMessages;
  /** When the last ones came, oldest first, as many as the limit at most. */
  readonly recentNs: Nanoseconds[];
}

export class GuardedServices {
  readonly #senders = new Map<string, Sender>();

  /** @param journal where records outlive the actor: its next life goes on with them, and listens to everybody again */
  constructor(
    private readonly clock: Clock,
    private readonly check: MessageCheck,
    private readonly limits: QuarantineLimits = DEFAULT_QUARANTINE,
    private readonly journal?: Journal,
  ) {
    for (const [key, value] of journal?.restored ?? []) {
      if (!key.startsWith(BROKEN)) continue;
      const { quarantinedNs: _, ...record } = value as BrokenMessages;
      this.#senders.set(record.actor, { record, recentNs: [] });
    }
  }

  /** Those who sent broken messages, in the order of their first. */
  get records(): readonly BrokenMessages[] {
    return [...this.#senders.values()].map(({ record }) => record);
  }

  /** A sender has died: its next life may call again. What it sent stays on record. */
  pardon(from: string): void {
    const sender = this.#senders.get(from);
    if (sender === undefined) return;
    sender.recentNs.length = 0;
    delete sender.record.quarantinedNs;
  }

  /** The services behind the checks, and the one that is told of messages that were for none of them. */
  wrap(services: Readonly<Record<string, CallHandler>>): Record<string, CallHandler> {
    const wrapped: Record<string, CallHandler> = {};
    for (const [method, service] of Object.entries(services)) {
      wrapped[method] = (args, from) => this.#serve(method, service, args, from);
    }
    wrapped[BROKEN_MESSAGE] = (message: Partial<BrokenMessage> | undefined, from) => this.#noSuch(message, from);
    return wrapped;
  }

  *#serve(method: string, service: CallHandler, args: unknown, from: string): Task<unknown> {
    this.#refuseQuarantined(method, from);
    const fault = this.check(method, args, from);
    if (fault === undefined) return yield* service(args, from);
    const { field, expected, got } = fault;
    const reason = `${field === '' ? 'the message' : field}: expected ${expected}, got ${got}`;
    this.#count(from, `${method}: ${reason}`);
    throw new ErrnoError('EPROTO', method, `Cannot ${method} for ${from}: ${reason}`, { sender: from, ...fault });
  }

  *#noSuch(message: Partial<BrokenMessage> | undefined, from: string): Task<never> {
    const { method, reason } = message ?? {};
    const op = typeof method === 'string' ? method.slice(0, MAX_REASON_LENGTH) : 'message';
    this.#refuseQuarantined(op, from);
    const why = typeof reason === 'string' ? reason.slice(0, MAX_REASON_LENGTH) : 'a message that is no call';
    this.#count(from, why);
    const code = typeof method === 'string' ? 'EOPNOTSUPP' : 'EPROTO';
    throw new ErrnoError(code, op, `Cannot serve ${from}: ${why}`, { sender: from });
  }

  #refuseQuarantined(op: string, from: string): void {
    const record = this.#senders.get(from)?.record;
    if (record?.quarantinedNs === undefined) return;
    record.unread += 1;
    const message = `Cannot serve ${from}: quarantined after ${record.count} broken messages, the first of them ${record.reason}`;
    throw new ErrnoError('EPROTO', op, message, { sender: from, quarantinedNs: record.quarantinedNs });
  }

  #count(from: string, reason: string): void {
    const nowNs = this.clock.now();
    let sender = this.#senders.get(from);
    if (sender === undefined) {
      sender = { record: { actor: from, count: 0, firstNs: nowNs, reason, unread: 0 }, recentNs: [] };
      this.#senders.set(from, sender);
    }
    sender.record.count += 1;
    sender.recentNs.push(nowNs);
    if (sender.recentNs.length > this.limits.messages) sender.recentNs.shift();
    const isOften =
      sender.recentNs.length === this.limits.messages && nowNs - sender.recentNs[0] <= this.limits.windowNs;
    if (isOften) sender.record.quarantinedNs = nowNs;
    this.journal?.set(`${BROKEN}${from}`, sender.record);
  }
}
