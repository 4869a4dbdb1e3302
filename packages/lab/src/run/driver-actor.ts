/** The actor of a device: loads the driver's module and runs it. The same in both runtimes. */
import { ErrnoError, external, fromErrorRecord, type Task, toErrorRecord } from '@dmabuf-lab/core/base';
import { type DeviceReport, type DriverStart, driverProgram } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type HistoryBoard, recordAccesses } from '../history/index.js';
import { placeInDriver } from '../loader/evaluation-error.js';
import { importCopy } from '../loader/instance-module.js';
import { type CountBoard, CountWords } from './count-words.js';
import { CountedStatistics } from './counted-statistics.js';

/** What the actor starts with: plain data. */
export interface DriverActorStart {
  /** URL of the module whose default export is the driver. */
  readonly module: string;
  readonly start: DriverStart;
  /** Files of a driver of the user, by absolute path, as messages name them; absent = what it throws needs no place. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Where its accesses are recorded; absent = nobody follows them. */
  readonly history?: HistoryBoard;
  /** Where it counts what it does; absent = nobody looks before the end. */
  readonly counts?: CountBoard;
}

export function* program(host: ActorHost, data: DriverActorStart): Task<DeviceReport> {
  const words = data.counts && new CountWords(data.counts);
  const countFailure = (): void => words?.countFailure(host.id, host.life);
  try {
    return yield* drive(host, data, words && new CountedStatistics(words, host.id), countFailure);
  } catch (error) {
    countFailure();
    throw error;
  }
}

/** @param onThrown told when one of the driver's own generators throws, which ends the actor past its program */
function* drive(
  host: ActorHost,
  { module, start, sources, history }: DriverActorStart,
  statistics: CountedStatistics | undefined,
  onThrown: () => void,
): Task<DeviceReport> {
  const driver = yield* external(importCopy(module, host.life, start.runtime), `loading ${module}`);
  if (driver === undefined) {
    throw new ErrnoError('ENOENT', 'load', `Cannot start ${host.name}: ${module} has no driver as its default export`);
  }
  const watch = history && recordAccesses(host, history, start.tables, start.firstTimeline);
  const located = (error: unknown): unknown => {
    onThrown();
    return sources === undefined ? error : withPlace(error, sources);
  };
  return yield* driverProgram(host, driver, start, {
    ...(watch && { watch }),
    ...(statistics && { statistics }),
    located,
  });
}

/** Adds to the message where in the driver it was thrown: of an actor that dies, the others learn the message alone. */
export function withPlace(error: unknown, sources: Readonly<Record<string, string>>): unknown {
  if (!(error instanceof Error)) return error;
  const place = placeInDriver(error, Object.keys(sources));
  if (place?.file === undefined) return error;
  // A new one: what was thrown may be frozen, have a message that cannot be set, or be thrown again.
  const message = `${error.message} (${sources[place.file]}:${place.line}:${place.column})`;
  return Object.assign(fromErrorRecord({ ...toErrorRecord(error), message }), { cause: error });
}
