/** Runs a program in a process of a simulated kernel, on a clock that jumps to what comes next. */
import { AtomicWords, type Nanoseconds, type Park, type Task, wordIndex } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { startKernel } from '@dmabuf-lab/lab';
import { DmaBufFile, Process, type SimulatedKernel } from '@dmabuf-lab/uapi';

interface Sleeper {
  readonly task: Task<unknown>;
  readonly park: Park;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** The smallest runtime that will do: words, times, replies, and the order of arrival. */
class Clockwork {
  readonly words = new AtomicWords(new SharedArrayBuffer(64));
  readonly clock = { now: (): Nanoseconds => this.#now };
  #now: Nanoseconds = 0;
  #sleepers: Sleeper[] = [];
  readonly #replies: (() => void)[] = [];

  spawn(_name: string, task: Task<void>): void {
    this.start(task, () => {}, this.#fail);
  }

  #fail = (error: unknown): void => {
    throw error;
  };

  start(task: Task<unknown>, done: (value: unknown) => void, failed: (error: unknown) => void): void {
    this.#step(task, undefined, done, failed);
  }

  #step(task: Task<unknown>, sent: unknown, done: (value: unknown) => void, failed: (error: unknown) => void): void {
    let result: IteratorResult<Park, unknown>;
    try {
      result = task.next(sent);
    } catch (error) {
      failed(error);
      return;
    }
    if (result.done) done(result.value);
    else this.#sleep({ task, park: result.value, done, failed });
  }

  #sleep(sleeper: Sleeper): void {
    this.#sleepers.push(sleeper);
    const { park, failed } = sleeper;
    if (park.kind !== 'reply') return;
    park.start({ resolve: (value) => this.#replies.push(() => this.#wake(sleeper, value)), reject: failed });
  }

  /** Steps whoever can go on; else lets the time come to whatever is next. @returns whether anybody could */
  turn(): boolean {
    const reply = this.#replies.shift();
    if (reply !== undefined) {
      reply();
      return true;
    }
    const ready = this.#sleepers.find(
      ({ park }) => park.kind === 'word' && this.words.load(park.word) !== park.expected,
    );
    if (ready !== undefined) {
      this.#wake(ready, true);
      return true;
    }
    const timed = this.#sleepers.filter((one) => this.#until(one) < Number.POSITIVE_INFINITY);
    if (timed.length === 0) return false;
    const next = timed.reduce((first, one) => (this.#until(one) < this.#until(first) ? one : first));
    this.#now = Math.max(this.#now, this.#until(next));
    this.#wake(next, next.park.kind !== 'word');
    return true;
  }

  #until({ park }: Sleeper): Nanoseconds {
    return park.kind === 'word' || park.kind === 'time' ? park.untilNs : Number.POSITIVE_INFINITY;
  }

  #wake(sleeper: Sleeper, sent: unknown): void {
    this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
    this.#step(sleeper.task, sent, sleeper.done, sleeper.failed);
  }
}

const MEMORY = PhysicalMemory.create([{ name: 'ram', base: 0, sizeBytes: 2 ** 30 }]).handle;

/** Runs programs, each in a process of its own, until all have ended. @returns what they returned */
export function runInProcesses<T>(
  ...programs: readonly ((process: Process, kernel: SimulatedKernel) => Task<T>)[]
): T[] {
  const clockwork = new Clockwork();
  const kernel = startKernel(clockwork, MEMORY, wordIndex(0));
  const results: T[] = [];
  let left = programs.length;
  let failure: unknown;
  for (const [i, program] of programs.entries()) {
    const process = new Process(kernel);
    clockwork.start(
      program(process, kernel),
      (value) => {
        results[i] = value as T;
        left -= 1;
        process.exit();
      },
      (error) => {
        failure ??= error;
        left = 0;
      },
    );
  }
  while (left > 0) {
    if (!clockwork.turn()) throw new Error('All programs wait for ever');
  }
  if (failure !== undefined) throw failure;
  return results;
}

/** Runs one program. */
export function runInProcess<T>(program: (process: Process, kernel: SimulatedKernel) => Task<T>): T {
  return runInProcesses(program)[0];
}

/** The dma-buf of a descriptor. */
export function fileOf(process: Process, fd: number): DmaBufFile {
  const file = process.fds.file(fd, 'test');
  if (file instanceof DmaBufFile) return file;
  throw new TypeError(`descriptor ${fd} is no dma-buf`);
}
