/** The actor of a device that sends the exporter broken control messages first, and works as ever after that. */
import { external, isErrno, type Task } from '@dmabuf-lab/core/base';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import type { ActorHost, ActorProgram } from '@dmabuf-lab/core/runtime';

export interface BrokenSenderStart {
  readonly messages: number;
  /** The actor that it would have been. */
  readonly module: string;
  readonly data: unknown;
}

export function* program(host: ActorHost, { messages, module, data }: BrokenSenderStart): Task<unknown> {
  for (let i = 0; i < messages; i += 1) {
    try {
      yield* host.call(EXPORTER, 'map', { buffer: i });
    } catch (error) {
      if (!isErrno(error, 'EPROTO')) throw error;
    }
  }
  const actor = yield* external(import(module) as Promise<{ program: ActorProgram }>, 'its module');
  return yield* actor.program(host, data);
}
