/**
 * Services that check what they are sent, count what is broken, and stop listening to who sends too much of it.
 *
 * A broken message is answered with EPROTO, naming the sender, the field and what was expected, and reaches no service. A
 * sender of too many within a window of model time is quarantined: all its further calls are answered at once, unread.
 */
import { type CallHandler, type Clock, ErrnoError, type Journal, type Task } from '../base/index.js';
import { BROKEN_MESSAGE, type BrokenMessage } from './actor.js';
import { type BrokenMessages, BrokenSenders, DEFAULT_QUARANTINE, type QuarantineLimits } from './broken-senders.js';

const MAX_REASON_LENGTH = 200;

/** What is wrong with a message. */
export interface MessageFault {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  /** It was in order when it was sent: answered with ESTALE, and not counted. */
  readonly isLate?: boolean;
}

/** Finds what is wrong with a call; undefined when a service may have it. Must not throw. */
export type MessageCheck = (method: string, args: unknown, from: string) => MessageFault | undefined;

export class GuardedServices {
  readonly #senders: BrokenSenders;

  /** @param journal where records outlive the actor: its next life goes on with them, and listens to everybody again */
  constructor(
    clock: Clock,
    private readonly check: MessageCheck,
    limits: QuarantineLimits = DEFAULT_QUARANTINE,
    journal?: Journal,
  ) {
    this.#senders = new BrokenSenders(clock, limits, journal);
  }

  /** Those who sent broken messages, in the order of their first. */
  get records(): readonly BrokenMessages[] {
    return this.#senders.records;
  }

  /** A sender has died: its next life may call again. What it sent stays on record. */
  pardon(from: string): void {
    this.#senders.pardon(from);
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
    const { field, expected, got, isLate } = fault;
    const reason = `${field === '' ? 'the message' : field}: expected ${expected}, got ${got}`;
    if (isLate) throw new ErrnoError('ESTALE', method, `Cannot ${method} for ${from}: ${reason}`, { sender: from });
    this.#senders.count(from, `${method}: ${reason}`);
    throw new ErrnoError('EPROTO', method, `Cannot ${method} for ${from}: ${reason}`, { sender: from, ...fault });
  }

  *#noSuch(message: Partial<BrokenMessage> | undefined, from: string): Task<never> {
    const { method, reason } = message ?? {};
    const op = typeof method === 'string' ? method.slice(0, MAX_REASON_LENGTH) : 'message';
    this.#refuseQuarantined(op, from);
    const why = typeof reason === 'string' ? reason.slice(0, MAX_REASON_LENGTH) : 'a message that is no call';
    this.#senders.count(from, why);
    const code = typeof method === 'string' ? 'EOPNOTSUPP' : 'EPROTO';
    throw new ErrnoError(code, op, `Cannot serve ${from}: ${why}`, { sender: from });
  }

  #refuseQuarantined(op: string, from: string): void {
    const record = this.#senders.refuse(from);
    if (record === undefined) return;
    const message = `Cannot serve ${from}: quarantined after ${record.count} broken messages, the first of them ${record.reason}`;
    throw new ErrnoError('EPROTO', op, message, { sender: from, quarantinedNs: record.quarantinedNs });
  }
}
