/** A server behind a guard, and a client that sends what is no call of its services, on the raw port where there is one. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { isErrno, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type ActorHost, GuardedServices } from '@dmabuf-lab/core/runtime';

export interface BrokenMessagesStart {
  readonly role: 'server' | 'client';
  /** Posted as they are, before the calls; on threads only. */
  readonly raw: readonly unknown[];
  readonly calls: readonly (readonly [method: string, args: unknown])[];
}

export function* program(host: ActorHost, start: BrokenMessagesStart): Task<unknown> {
  return start.role === 'server' ? yield* serve(host) : yield* send(host, start);
}

function* serve(host: ActorHost): Task<unknown> {
  const guard = new GuardedServices(host.clock, (_method, args) =>
    typeof args === 'number' ? undefined : { field: 'args', expected: 'a number', got: typeof args },
  );
  host.serve(
    guard.wrap({
      *half(args: number): Task<number> {
        if (args < 0) throw new TypeError('a service that falls over');
        return args / 2;
      },
    }),
  );
  yield* host.ready();
  yield* host.untilOthersEnd();
  return guard.records;
}

function* send(host: ActorHost, { raw, calls }: BrokenMessagesStart): Task<unknown> {
  yield* host.ready();
  const { peers } = (workerData ?? { peers: [] }) as { readonly peers: readonly { readonly port: MessagePort }[] };
  for (const message of raw) peers[0].port.postMessage(message);
  const answers: unknown[] = [];
  for (const [method, args] of calls) {
    try {
      answers.push(yield* host.call('server', method, args));
    } catch (error) {
      answers.push(isErrno(error) ? error.code : (error as Error).name);
    }
    yield* sleepUntil(host.clock.now() + 1, 'the next call');
  }
  return answers;
}
