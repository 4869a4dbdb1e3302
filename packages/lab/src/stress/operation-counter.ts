/** Does operations and counts: how each ended, how long it took, and whether it ended as a correct program's may. */
import { isErrno, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import { type ActorHost, RuntimeWords } from '@dmabuf-lab/core/runtime';
import type { HistoryChecker } from '../history/index.js';
import { bucketOf } from './latency-histogram.js';
import { ERRORS, isAllowed, OPERATIONS, type Operation } from './operations.js';
import type { StressWords } from './stress-words.js';

export class OperationCounter {
  constructor(
    private readonly host: ActorHost,
    private readonly words: StressWords,
    private readonly checker: HistoryChecker,
    /** The run ends after so many; absent = it does not. */
    private readonly limit: number | undefined,
  ) {}

  /**
   * Does one operation.
   *
   * @param lane whose wait is bounded from now on; absent: what waits for others to let go, or is part of another operation
   * @param task calls `reached` where the time that is measured ends; at its end when it does not
   * @throws whatever the task threw that a correct program does not meet, after reporting it
   */
  *perform(
    lane: { readonly number: number } | undefined,
    operation: Operation,
    task: (reached: () => void) => Task<void>,
  ): Task<void> {
    const { words, host } = this;
    const number = OPERATIONS.indexOf(operation);
    const startNs = host.clock.now();
    let tookNs: Nanoseconds | undefined;
    if (lane !== undefined) words.beginOperation(lane.number, number, startNs);
    let error = 0;
    try {
      yield* task(() => {
        tookNs = host.clock.now() - startNs;
      });
    } catch (thrown) {
      if (!isErrno(thrown) || !isAllowed(operation, thrown.code)) throw this.#reported(operation, thrown, lane?.number);
      error = ERRORS.indexOf(thrown.code) + 1;
    }
    words.count(number, error);
    if (error === 0) words.addLatency(number, bucketOf(tookNs ?? host.clock.now() - startNs));
    if (lane !== undefined) words.endOperation(lane.number);
    if (words.addToRun('operations') >= (this.limit ?? Infinity)) new RuntimeWords(host.words).stop();
  }

  #reported(operation: Operation, thrown: unknown, lane = this.checker.lane(0)): unknown {
    const { code, message } = thrown as { readonly code?: string; readonly message: string };
    const what = code === undefined ? message : `${code}: ${message}`;
    this.checker.report(`${operation} of ${this.host.name} failed: ${what}`, undefined, lane);
    return thrown;
  }
}
