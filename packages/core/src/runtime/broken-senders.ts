/** Those who sent broken messages: counted, one record each, and who sent too many within a time is in quarantine. */
import type { Clock, Journal, Nanoseconds } from '../base/index.js';

/** When a sender of broken messages is not listened to any more. */
export interface QuarantineLimits {
  /** How many within the window; 1 or more. */
  readonly messages: number;
  readonly windowNs: Nanoseconds;
}

export const DEFAULT_QUARANTINE: QuarantineLimits = { messages: 8, windowNs: 1_000_000_000 };

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

interface Sender {
  readonly record: BrokenMessages;
  /** When the last ones came, oldest first, as many as the limit at most. */
  readonly recentNs: Nanoseconds[];
}

export class BrokenSenders {
  readonly #senders = new Map<string, Sender>();

  /** @param journal where records outlive the actor: its next life goes on with them, and listens to everybody again */
  constructor(
    private readonly clock: Clock,
    private readonly limits: QuarantineLimits,
    private readonly journal?: Journal,
  ) {
    for (const [key, value] of journal?.restored ?? []) {
      if (!key.startsWith(BROKEN)) continue;
      const { quarantinedNs: _, ...record } = value as BrokenMessages;
      this.#senders.set(record.actor, { record, recentNs: [] });
    }
  }

  /** In the order of their first. */
  get records(): readonly BrokenMessages[] {
    return [...this.#senders.values()].map(({ record }) => record);
  }

  /** A sender has died: its next life is listened to again. What it sent stays on record. */
  pardon(from: string): void {
    const sender = this.#senders.get(from);
    if (sender === undefined) return;
    sender.recentNs.length = 0;
    delete sender.record.quarantinedNs;
  }

  /** Counts a message as unread where its sender is in quarantine. @returns the record then; undefined when it is listened to */
  refuse(from: string): BrokenMessages | undefined {
    const record = this.#senders.get(from)?.record;
    if (record?.quarantinedNs === undefined) return undefined;
    record.unread += 1;
    return record;
  }

  /** Counts a broken message; it may be the one too many. @returns the record of its sender */
  count(from: string, reason: string): BrokenMessages {
    const nowNs = this.clock.now();
    let sender = this.#senders.get(from);
    if (sender === undefined) {
      sender = { record: { actor: from, count: 0, firstNs: nowNs, reason, unread: 0 }, recentNs: [] };
      this.#senders.set(from, sender);
    }
    const { record, recentNs } = sender;
    record.count += 1;
    recentNs.push(nowNs);
    if (recentNs.length > this.limits.messages) recentNs.shift();
    const isOften = recentNs.length === this.limits.messages && nowNs - recentNs[0] <= this.limits.windowNs;
    if (isOften) record.quarantinedNs = nowNs;
    this.journal?.set(`${BROKEN}${from}`, record);
    return record;
  }
}
