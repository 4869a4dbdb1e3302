/**
 * Control calls by Comlink over a `MessagePort`.
 *
 * Cured here, once for all calls: an error keeps its code and details (it crosses as a declared record, since Comlink
 * and structured cloning drop them), and a call whose peer dies is rejected (Comlink leaves it pending for ever).
 */
import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { ErrnoError, type ErrorRecord, fromErrorRecord, type ReplySettle, toErrorRecord } from '../../base/index.js';

type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorRecord };

/** What a served port offers. */
interface CallSurface {
  call(method: string, args: unknown): Promise<Answer>;
}

/** Offers services on a port. */
export function serveCalls(port: MessagePort, answer: (method: string, args: unknown) => Promise<unknown>): void {
  const surface: CallSurface = {
    call: (method, args) =>
      answer(method, args).then(
        (value): Answer => ({ ok: true, value }),
        (error: unknown): Answer => ({ ok: false, error: toErrorRecord(error) }),
      ),
  };
  Comlink.expose(surface, endpoint(port));
}

/** The calling end of a port. */
export class RemotePeer {
  readonly #remote: Comlink.Remote<CallSurface>;
  readonly #pending = new Set<(error: Error) => void>();
  #dead = false;

  constructor(
    private readonly name: string,
    port: MessagePort,
  ) {
    this.#remote = Comlink.wrap<CallSurface>(endpoint(port));
  }

  /** Calls; settles exactly once, with ENODEV when the peer is or becomes dead. */
  call(method: string, args: unknown, settle: ReplySettle): void {
    if (this.#dead) {
      settle.reject(this.#gone(method));
      return;
    }
    const reject = (error: Error): void => {
      if (this.#pending.delete(reject)) settle.reject(error);
    };
    this.#pending.add(reject);
    this.#remote.call(method, args).then(
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
    for (const reject of [...this.#pending]) reject(this.#gone('call'));
  }

  #gone(method: string): ErrnoError {
    return new ErrnoError('ENODEV', method, `Cannot call ${method} of ${this.name}: it has died`, { peer: this.name });
  }
}

type Listener = Parameters<Comlink.Endpoint['addEventListener']>[1];

/** Comlink speaks to event targets; a Node port is an event emitter. */
function endpoint(port: MessagePort): Comlink.Endpoint {
  const listeners = new WeakMap<object, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer?: unknown[]) => port.postMessage(message, transfer as never),
    addEventListener: (_type: string, listener: Listener) => {
      const deliver = (data: unknown): void => {
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
