/** The actors of the bench of dead peers: a server that exits once it has so many calls to answer, and who calls it. */
import { sleepUntil, type Task, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import { type ActorHost, RUNTIME_WORDS } from '@dmabuf-lab/core/runtime';

export interface DeadPeerStart {
  readonly role: 'server' | 'client';
  /** That are pending when the server exits. */
  readonly calls: number;
  /** Lives of the server that end with an exit. */
  readonly lives: number;
}

export function* program(host: ActorHost, { role, calls, lives }: DeadPeerStart): Task<unknown> {
  return role === 'server' ? yield* serve(host, calls) : yield* call(host, calls, lives);
}

function* serve(host: ActorHost, calls: number): Task<void> {
  let pending = 0;
  host.serve({
    *here(): Task<boolean> {
      return true;
    },
    *never(): Task<void> {
      pending += 1;
      if (pending === calls) setImmediate(() => process.exit(1)); // of this worker
      yield new WordPark(wordIndex(RUNTIME_WORDS - 1), host.words.load(wordIndex(RUNTIME_WORDS - 1)), 'for ever');
    },
  });
  yield* host.ready();
  yield* host.untilOthersEnd();
}

/** @returns when the last call to each life was rejected */
function* call(host: ActorHost, calls: number, lives: number): Task<readonly number[]> {
  const rejectedNs: number[] = [];
  yield* host.ready();
  for (let life = 0; life < lives; life += 1) {
    while (!(yield* isHere(host))) yield* sleepUntil(host.clock.now() + 1_000_000, 'the server');
    let left = calls;
    let lastNs = 0;
    const rejected = (): void => {
      left -= 1;
      lastNs = host.clock.now();
    };
    for (let i = 0; i < calls; i += 1) {
      host.spawn(`call ${i}`, never(host, rejected));
    }
    while (left > 0) yield* sleepUntil(host.clock.now() + 1_000_000, 'the calls');
    rejectedNs.push(lastNs);
  }
  return rejectedNs;
}

function* never(host: ActorHost, rejected: () => void): Task<void> {
  try {
    yield* host.call('server', 'never', {});
  } catch {
    rejected();
  }
}

function* isHere(host: ActorHost): Task<boolean> {
  try {
    return yield* host.call<boolean>('server', 'here', {});
  } catch {
    return false;
  }
}
