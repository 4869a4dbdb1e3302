/** Runs a rig to its end: in virtual time, or on threads at real-time speed. */
import { isErrno, type Nanoseconds } from '../base/index.js';
import { ThreadsRuntime, VirtualRuntime } from '../runtime/index.js';
import { outcomeOf, prepareRig, type RigOutcome, type RigSpec } from './rig.js';

/** A run that went beyond all bounds. */
export class EndlessRunError extends Error {
  override readonly name = 'EndlessRunError';
}

/** Model time and events beyond which a virtual run does not end any more. */
const GRACE_NS = 20_000_000_000;
const MOST_EVENTS = 400_000;

/** @throws EndlessRunError, or what the runtime throws when an actor fails or everybody waits */
export async function runVirtually(spec: RigSpec): Promise<RigOutcome> {
  let events = 0;
  const runtime = new VirtualRuntime(prepareRig(spec), {
    ties: spec.ties ?? 'fifo',
    onEvent: (timeNs) => {
      events += 1;
      if (events > MOST_EVENTS) throw new EndlessRunError(`it goes on at ${timeNs} ns without an end`);
      if (timeNs > spec.durationNs + GRACE_NS) throw new EndlessRunError(`it has not ended after ${timeNs} ns`);
    },
  });
  return outcomeOf(await runtime.run());
}

/** How long a run on threads lasts. */
export interface Patience {
  /** What a run may take in real time beyond its duration, and to stop when it is told to. */
  readonly limitNs: Nanoseconds;
  /** Whether all has happened that the run is for: it is then told to stop; absent = it goes on for its duration. */
  readonly isEnough?: () => boolean;
}

/** @throws EndlessRunError, or what the runtime throws when an actor fails */
export async function runOnThreads(spec: RigSpec, { limitNs, isEnough }: Patience): Promise<RigOutcome> {
  const stop = new AbortController();
  const atMostNs = isEnough === undefined ? spec.durationNs + limitNs : limitNs;
  let gaveUp: EndlessRunError | undefined;
  const onBeat = (nowNs: Nanoseconds): void => {
    if (stop.signal.aborted) return;
    const isLate = nowNs > atMostNs;
    if (isLate) gaveUp = new EndlessRunError(`it has not ended after ${Math.round(nowNs / 1e6)} ms`);
    if (isLate || isEnough?.() === true) stop.abort();
  };
  const limitMs = limitNs / 1e6;
  const options = { pace: 'real', onBeat, stopGraceMs: limitMs } as const;
  try {
    const report = await new ThreadsRuntime({ ...prepareRig(spec), signal: stop.signal }, options).run();
    if (gaveUp !== undefined) throw gaveUp;
    return outcomeOf(report);
  } catch (error) {
    if (!isErrno(error, 'ETIMEDOUT') || error.op !== 'stop') throw error;
    throw gaveUp ?? new EndlessRunError(`it has not ended ${limitMs} ms after it was told to stop`);
  }
}
