/**
 * Control calls by Comlink over a `MessagePort`.
 *
 * Cured here, once for all calls: an error keeps its code and details (it crosses as a declared record, since Comlink
 * and structured cloning drop them), a call whose peer dies is rejected (Comlink leaves it pending for ever), and what is
 * no call does not reach Comlink, which would fall over it.
 */
import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { type ErrorRecord, fromErrorRecord, type ReplySettle, toErrorRecord } from '../../base/index.js';
import { peerIsGone } from '../actor.js';

type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorRecord };

/** Of the ids that Comlink gives its messages: four numbers. */
const MAX_ID_LENGTH = 64;

/** What a served port offers. */
interface CallSurface {
  call(method: string, args: unknown, number?: number): Promise<Answer>;
}

/**
 * Offers services on a port.
 *
 * @param answer its third argument is the number that the caller gave the call; 0 = none
 * @param onBroken told of each message that is no call, and why; Comlink never sees it
 */
export function serveCalls(
  port: MessagePort,
  answer: (method: string, args: unknown, number: number) => Promise<unknown>,
  onBroken: (reason: string) => unknown = () => {},
): void {
  const surface: CallSurface = {
    call: (method, args, number = 0) =>
      answer(method, args, number).then(
        (value): Answer => ({ ok: true, value }),
        (error: unknown): Answer => ({ ok: false, error: toErrorRecord(error) }),
      ),
  };
  const isCall = (message: unknown): boolean => {
    const reason = whyNoCall(message);
    if (reason !== undefined && !isRelease(message)) onBroken(reason);
    return reason === undefined;
  };
  Comlink.expose(surface, endpoint(port, isCall));
}

/**
 * Why a message is no call of the surface. Comlink trusts its peer: it sets and constructs whatever a path names, and throws
 * in the listener of the port, which ends the worker, where a list is none. So it is shown calls only.
 */
function whyNoCall(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null) return 'a message that is no object';
  const { id, type, path, argumentList } = message as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || id.length > MAX_ID_LENGTH) return 'a message without an id';
  if (type !== 'APPLY') return 'a message that is no call';
  if (!Array.isArray(path) || path.length !== 1 || path[0] !== 'call') return 'a call of something that is not offered';
  if (!Array.isArray(argumentList) || argumentList.length < 2 || argumentList.length > 3)
    return 'a call without a method and its arguments';
  const [method, args, number] = argumentList as readonly ({ type?: unknown; value?: unknown } | null | undefined)[];
  if (method?.type !== 'RAW' || typeof method.value !== 'string') return 'a call whose method is no text';
  if (args?.type !== 'RAW') return 'a call whose arguments are no plain data';
  const isNumbered = argumentList.length === 2 || (number?.type === 'RAW' && Number.isSafeInteger(number.value));
  return isNumbered ? undefined : 'a call whose number is none';
}

/** What Comlink sends for a caller that is gone: nothing to be served, and nothing wrong. */
function isRelease(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'RELEASE';
}

/** The calling end of a port. */
export class RemotePeer {
  readonly #remote: Comlink.Remote<CallSurface>;
  readonly #pending = new Set<(error: Error) => void>();
  #dead = false;

  constructor(
    private readonly name: string,
    port: MessagePort,
    readonly resumes = false,
  ) {
    this.#remote = Comlink.wrap<CallSurface>(endpoint(port));
  }

  /** Calls; settles exactly once, with ENODEV when the peer is or becomes dead. */
  call(method: string, args: unknown, settle: ReplySettle): void {
    if (this.#dead) {
      settle.reject(peerIsGone(method, this.name));
      return;
    }
    const reject = (error: Error): void => {
      if (this.#pending.delete(reject)) settle.reject(error);
    };
    this.#pending.add(reject);
    const { call } = settle;
    const sent = call ? this.#remote.call(method, args, call) : this.#remote.call(method, args);
    sent.then(
      (answer) => {
        if (!answer.ok) reject(fromErrorRecord(answer.error));
        else if (this.#pending.delete(reject)) settle.resolve(answer.value);
      },
      (error: unknown) => reject(fromErrorRecord(toErrorRecord(error))),
    );
  }

  /** The peer has died: whoever waits for it is told. */
  die(): void {
    this.#dead = true;
    for (const reject of [...this.#pending]) reject(peerIsGone('call', this.name));
  }
}

type Listener = Parameters<Comlink.Endpoint['addEventListener']>[1];

/** Comlink speaks to event targets; a Node port is an event emitter. `accepts`: what it is to see. */
function endpoint(port: MessagePort, accepts: (message: unknown) => boolean = () => true): Comlink.Endpoint {
  const listeners = new WeakMap<object, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer?: unknown[]) => port.postMessage(message, transfer as never),
    addEventListener: (_type: string, listener: Listener) => {
      const deliver = (data: unknown): void => {
        if (!accepts(data)) return;
        const event = { data } as MessageEvent;
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      };
      port.on('message', deliver);
      listeners.set(listener, deliver);
    },
    removeEventListener: (_type: string, listener: Listener) => {
      const deliver = listeners.get(listener);
      if (deliver !== undefined) port.off('message', deliver);
    },
    start: () => port.start(),
  };
}
