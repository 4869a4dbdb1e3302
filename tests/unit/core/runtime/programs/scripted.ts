/** Actors that do what the test's plain data says. */
import { parentPort } from 'node:worker_threads';
import {
  actorId,
  attempt,
  ErrnoError,
  EventClass,
  external,
  sleepUntil,
  type Task,
  Wake,
  type WordIndex,
  WordPark,
  wordIndex,
} from '@dmabuf-lab/core/base';
import { type ActorHost, RUNTIME_WORDS, RuntimeWords } from '@dmabuf-lab/core/runtime';

/** One thing that an actor does. */
export type Step =
  | { readonly do: 'sleep'; readonly untilNs: number; readonly eventClass?: EventClass }
  | { readonly do: 'log'; readonly text: string }
  | { readonly do: 'set'; readonly word: number; readonly value: number; readonly wake?: Wake }
  | { readonly do: 'wait'; readonly word: number; readonly until: number; readonly timeoutNs?: number }
  | { readonly do: 'external'; readonly turns: number; readonly text: string }
  /** Lets real time pass; on threads. */
  | { readonly do: 'sleep really'; readonly ms: number }
  /** Raises the time reached, as a source does. */
  | { readonly do: 'reach'; readonly timeNs: number }
  /** Waits for a promise that never comes. */
  | { readonly do: 'external never'; readonly what: string }
  | { readonly do: 'call'; readonly peer: string; readonly method: string; readonly args: unknown }
  /** `uncloneable`: with a detail that cannot be given to another thread. */
  | { readonly do: 'throw'; readonly message: string; readonly uncloneable?: boolean }
  | { readonly do: 'exit' }
  /** Posts to the runtime, as the module of a driver can, all of it or, by life, one in each; on threads only. */
  | { readonly do: 'post'; readonly messages: readonly unknown[]; readonly byLife?: boolean }
  /** In each life throws one of them from a timer. */
  | { readonly do: 'throw later'; readonly values: readonly unknown[] }
  /** Waits until an actor has died. */
  | { readonly do: 'wait for death'; readonly actor: number }
  /** In one life its set-up never ends. */
  | { readonly do: 'never ready'; readonly life: number }
  /** Goes on only in a life and those after it. */
  | { readonly do: 'from life'; readonly life: number }
  /** In its first life: fills the heap. */
  | { readonly do: 'hoard' }
  | { readonly do: 'stray clock' }
  /** Yields a call instead of delegating to it. */
  | { readonly do: 'stray yield' }
  | { readonly do: 'draw'; readonly stream: string }
  | { readonly do: 'serve'; readonly method: string; readonly answer: 'echo' | 'never' | 'EBUSY' | 'word' }
  /** Starts another generator. */
  | { readonly do: 'spawn'; readonly name: string; readonly steps: readonly Step[] }
  | { readonly do: 'serve others' };

/** A word of the test's own. */
export const testWord = (index: number): WordIndex => wordIndex(RUNTIME_WORDS + index);
export const CONTROL_BYTES = (RUNTIME_WORDS + 64) * 4;

export function* program(host: ActorHost, steps: readonly Step[]): Task<string[]> {
  const log: string[] = [];
  const note = (text: string): number => log.push(`${host.clock.now()} ${host.name} ${text}`);
  const isSetUp = (step: Step): boolean => step.do === 'serve' || step.do === 'never ready';
  for (const step of steps.filter(isSetUp)) yield* perform(host, step, note);
  yield* host.ready();
  for (const step of steps) if (!isSetUp(step)) yield* perform(host, step, note);
  return log;
}

function* perform(host: ActorHost, step: Step, note: (text: string) => void): Task<void> {
  switch (step.do) {
    case 'sleep':
      yield* sleepUntil(step.untilNs, 'a test', step.eventClass ?? EventClass.Completion);
      break;
    case 'log':
      note(step.text);
      break;
    case 'set':
      host.words.store(testWord(step.word), step.value);
      host.words.notify(testWord(step.word), step.wake ?? Wake.Release);
      break;
    case 'wait':
      yield* waitForWord(host, step, note);
      break;
    case 'external':
      yield* external(afterTurns(step.turns), 'a test');
      note(step.text);
      break;
    case 'sleep really':
      yield* external(new Promise((resolve) => setTimeout(resolve, step.ms)), 'a while');
      break;
    case 'reach':
      host.reached(step.timeNs);
      break;
    case 'external never':
      yield* external(new Promise(() => {}), step.what);
      break;
    case 'call':
      yield* callAndNote(host, step, note);
      break;
    case 'throw':
      if (step.uncloneable) throw new ErrnoError('EIO', 'test', step.message, { callback: () => {} });
      throw new Error(step.message);
    case 'exit':
      process.exit(3);
      break;
    case 'post':
      post(host, step);
      break;
    case 'throw later':
      if (host.life < step.values.length) throwLater(step.values[host.life]);
      break;
    case 'wait for death':
      yield* attempt(() => new RuntimeWords(host.words).deathStep(actorId(step.actor), 0));
      break;
    case 'never ready':
      if (host.life === step.life) yield new WordPark(testWord(63), 0, 'for ever');
      break;
    case 'from life':
      if (host.life < step.life) yield new WordPark(testWord(63), 0, 'for ever');
      break;
    case 'hoard':
      if (host.life === 0) hoard();
      break;
    case 'stray clock':
      Promise.resolve()
        .then(() => host.clock.now())
        .catch(() => {});
      yield* external(afterTurns(3), 'a test');
      break;
    case 'stray yield':
      yield external(afterTurns(1), 'a test') as never;
      break;
    case 'draw':
      note(String(host.random(step.stream).uniform()));
      break;
    case 'serve':
      host.serve({ [step.method]: (args) => answer(host, step.answer, args) });
      break;
    case 'spawn':
      host.spawn(step.name, performAll(host, step.steps, note));
      break;
    case 'serve others':
      yield* host.untilOthersEnd();
      break;
  }
}

function* performAll(host: ActorHost, steps: readonly Step[], note: (text: string) => void): Task<void> {
  for (const step of steps) yield* perform(host, step, note);
}

function* waitForWord(
  host: ActorHost,
  step: Pick<Extract<Step, { do: 'wait' }>, 'word' | 'until' | 'timeoutNs'>,
  note: (text: string) => void,
): Task<void> {
  for (;;) {
    const seen = host.words.load(testWord(step.word));
    if (seen === step.until) return;
    const woken: boolean = yield new WordPark(testWord(step.word), seen, 'a test word', step.timeoutNs);
    if (woken) continue;
    note('timed out');
    return;
  }
}

function* callAndNote(host: ActorHost, step: Extract<Step, { do: 'call' }>, note: (text: string) => void): Task<void> {
  try {
    note(`got ${JSON.stringify(yield* host.call(step.peer, step.method, step.args))}`);
  } catch (error) {
    const { code, errno, details } = error as { code?: string; errno?: number; details?: unknown };
    note(`failed ${code} ${errno} ${JSON.stringify(details)}`);
  }
}

function* answer(host: ActorHost, kind: 'echo' | 'never' | 'EBUSY' | 'word', args: unknown): Task<unknown> {
  if (kind === 'word') yield* waitForWord(host, args as { word: number; until: number }, () => {});
  if (kind === 'never') yield new WordPark(testWord(63), 0, 'for ever');
  if (kind === 'EBUSY') {
    const { ErrnoError } = yield* external(import('@dmabuf-lab/core/base'), 'an import');
    throw new ErrnoError('EBUSY', 'test', 'busy', { who: 'camera' });
  }
  return args;
}

async function afterTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
}

function post(host: ActorHost, { messages, byLife = false }: Extract<Step, { do: 'post' }>): void {
  const now = byLife ? messages.slice(host.life, host.life + 1) : messages;
  for (const message of now) parentPort?.postMessage(message);
}

function throwLater(value: unknown): void {
  setTimeout(() => {
    throw value;
  }, 1);
}

/** Fills the heap of its thread until that dies. */
function hoard(): never {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => i + kept.length));
}
