/** An actor that counts, and goes on counting in its next life; and one that has it count. */
import { isErrno, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type ActorHost, PEER_DIED, type PeerDeath } from '@dmabuf-lab/core/runtime';

export type Part =
  | { readonly part: 'keeper'; readonly setUpNs?: number }
  | { readonly part: 'caller'; readonly calls: number; readonly everyNs: number }
  | { readonly part: 'mortal'; readonly untilNs: number };

export interface KeeperReport {
  readonly life: number;
  readonly count: number;
  /** Deaths that it was told of, in this life. */
  readonly deaths: readonly string[];
}

export interface CallerReport {
  readonly answers: readonly number[];
  readonly repeated: number;
}

export function* program(host: ActorHost, data: Part): Task<KeeperReport | CallerReport | number> {
  if (data.part === 'keeper') return yield* keep(host, data.setUpNs);
  yield* host.ready();
  if (data.part === 'caller') return yield* call(host, data);
  yield* sleepUntil(data.untilNs, 'a test');
  return host.life;
}

function* keep(host: ActorHost, setUpNs = 0): Task<KeeperReport> {
  let count = (host.journal?.restored.get('count') as number | undefined) ?? 0;
  const deaths: string[] = [];
  if (host.life > 0 && setUpNs > 0) yield* sleepUntil(host.clock.now() + setUpNs, 'set-up');
  host.serve({
    *count(): Task<number> {
      count += 1;
      host.journal?.set('count', count);
      host.journal?.set(`last ${count - 1}`, undefined);
      host.journal?.set(`last ${count}`, { count });
      yield* sleepUntil(host.clock.now() + 1_000_000, 'counting');
      return count;
    },
    *[PEER_DIED]({ name, deaths: nth }: PeerDeath): Task<void> {
      yield* sleepUntil(host.clock.now() + 1_000_000, 'reclaiming');
      deaths.push(`${name} ${nth}`);
    },
  });
  yield* host.ready();
  yield* host.untilOthersEnd();
  const entries = [...(host.journal?.restored.keys() ?? [])];
  if (entries.length > 2) throw new Error(`entries that were taken out are there: ${entries.join(', ')}`);
  return { life: host.life, count, deaths };
}

function* call(host: ActorHost, { calls, everyNs }: Extract<Part, { part: 'caller' }>): Task<CallerReport> {
  const answers: number[] = [];
  let repeated = 0;
  for (let i = 1; i <= calls; i += 1) {
    yield* sleepUntil(i * everyNs, 'the next call');
    try {
      answers.push(yield* host.call<number>('keeper', 'count', undefined));
    } catch (error) {
      if (!isErrno(error)) throw error;
      answers.push(-1);
      if (error.details.repeated === true) repeated += 1;
    }
  }
  return { answers, repeated };
}
