/**
 * What workers post, checked before the main thread looks at it: the module of a driver can post anything (`parentPort`), and
 * what throws in the listener of a worker ends the process.
 *
 * What is no message is counted, one record for each actor. Its worker is to be ended after too many within a time (a worker
 * that is not listened to any more could not even say that it is done), and at once when the broken message was to be its last.
 */
import { type Clock, ErrnoError, MAX_TRACE_CAPACITY } from '../../base/index.js';
import {
  anything,
  faultOf,
  fieldsOf,
  isObject,
  list,
  oneOf,
  record,
  type Shape,
  type ShapeFault,
  text,
  whole,
} from '../../base/message-shape.js';
import { type BrokenMessages, BrokenSenders, type QuarantineLimits } from '../broken-senders.js';
import { MAX_ERROR_TEXT, MAX_KEY_LENGTH, MAX_TEXT_LENGTH, MAX_TEXTS, type WorkerMessage } from './worker-protocol.js';

/** Names of methods that a worker has called. */
const MAX_METHODS = 65_536;
/** Events of a trace, and the one that says how many did not fit. */
const MAX_EVENTS = MAX_TRACE_CAPACITY + 1;
const MAX = Number.MAX_SAFE_INTEGER;

const number = whole(1, MAX);
const errorText = text(0, MAX_ERROR_TEXT);

/** There may be a million of them: told apart by one look. */
const traceEvent: Shape = (value, field) => {
  const { track, name, startNs, durationNs, args } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isOne =
    typeof track === 'string' &&
    typeof name === 'string' &&
    typeof startNs === 'number' &&
    (durationNs === undefined || typeof durationNs === 'number') &&
    (args === undefined || isObject(args));
  return isOne ? undefined : faultOf(value, field, 'an event with a track, a name and a start');
};

const error = record(
  { name: errorText, message: errorText },
  { stack: errorText, code: errorText, op: errorText, details: fieldsOf(anything, MAX_METHODS) },
);

const SHAPES: Readonly<Record<WorkerMessage['kind'], Shape>> = {
  ready: record({ kind: anything }),
  serving: record({ kind: anything }),
  reclaimed: record({ kind: anything, actor: number, deaths: number }),
  journal: record({ kind: anything, key: text(1, MAX_KEY_LENGTH) }, { value: anything }),
  text: record({ kind: anything, number: whole(1, MAX_TEXTS), text: text(0, MAX_TEXT_LENGTH) }),
  done: record(
    { kind: anything, trace: list(traceEvent, 0, MAX_EVENTS), controlCalls: fieldsOf(whole(0, MAX), MAX_METHODS) },
    { report: anything },
  ),
  failed: record({ kind: anything, error }),
};
const isKind = oneOf(...Object.keys(SHAPES));

/** What is wrong with what a worker has posted; undefined when it is one of its messages. */
function faultIn(posted: unknown): ShapeFault | undefined {
  if (!isObject(posted)) return faultOf(posted, '', 'an object');
  const { kind } = posted as { readonly kind?: unknown };
  return isKind(kind, 'kind') ?? SHAPES[kind as WorkerMessage['kind']](posted, '');
}

/** What became of what a worker has posted. */
export type Checked =
  | { readonly message: WorkerMessage }
  /** Its worker is to be ended. */
  | { readonly end: ErrnoError }
  /** It is counted, and nothing else. */
  | undefined;

export class WorkerMessages {
  readonly #senders: BrokenSenders;

  constructor(clock: Clock, limits: QuarantineLimits) {
    this.#senders = new BrokenSenders(clock, limits);
  }

  /** The actors whose workers have posted what is no message, in the order of their first. */
  get records(): readonly BrokenMessages[] {
    return this.#senders.records;
  }

  check(actor: string, posted: unknown): Checked {
    if (this.#senders.refuse(actor) !== undefined) return undefined;
    const fault = faultIn(posted);
    if (fault === undefined) return { message: posted as WorkerMessage };
    return this.#count(actor, fault, isLast(posted));
  }

  /** A worker is gone: that of the next life is listened to. */
  pardon(actor: string): void {
    this.#senders.pardon(actor);
  }

  #count(actor: string, { field, expected, got }: ShapeFault, wasLast: boolean): Checked {
    const reason = `posts to the runtime: ${field === '' ? 'the message' : field}: expected ${expected}, got ${got}`;
    const { count, reason: first, quarantinedNs } = this.#senders.count(actor, reason);
    const details = { sender: actor, field, expected, got };
    if (wasLast) return { end: new ErrnoError('EPROTO', 'post', `its last message is broken: it ${reason}`, details) };
    if (quarantinedNs === undefined) return undefined;
    const why = `${count} broken messages, the first of them: it ${first}`;
    return { end: new ErrnoError('EPROTO', 'post', why, details) };
  }
}

/** Whether a worker has nothing more to say after it. */
function isLast(posted: unknown): boolean {
  const { kind } = (posted ?? {}) as { readonly kind?: unknown };
  return kind === 'done' || kind === 'failed';
}
