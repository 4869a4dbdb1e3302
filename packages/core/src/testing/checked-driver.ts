/** A driver with a monitor around it: what the rig runs in place of the driver under test. */
import type { Nanoseconds, Task } from '../base/index.js';
import { type AnyDriver, type DriverContext, type OpenTables, runDriver, setUpDriver } from '../driver/index.js';
import { fenceStatus } from '../sync/index.js';
import { CheckedContext } from './checked-context.js';
import type { FencedFrame } from './checked-frame.js';
import type { Monitor } from './monitor.js';

/** Told of the stays of a driver, in order. */
export interface StayLog {
  began(atNs: Nanoseconds): void;
  /** @param tooEarly it has inputs, none of which had ended */
  ended(atNs: Nanoseconds, tooEarly: boolean): void;
}

export function checkedDriver(driver: AnyDriver, monitor: Monitor, tables: OpenTables, stays: StayLog): AnyDriver {
  const isPending = ({ acquireFence }: FencedFrame): boolean =>
    acquireFence !== undefined && fenceStatus(tables.timelines, acquireFence) === 0;
  const wrap = (inner: DriverContext, beganNs: Nanoseconds): CheckedContext =>
    new CheckedContext(monitor, inner, driver.ports, isPending, beganNs);
  let told: CheckedContext | undefined;
  return {
    ...driver,
    ...(driver.moveNotify && {
      moveNotify: (_: never, bufferNumber: number, state: never) => {
        monitor.during(() => driver.moveNotify?.(told as never, bufferNumber, state));
      },
    }),
    *setup(inner: never): Task<unknown> {
      const context = wrap(inner, 0);
      try {
        return yield* monitor.drive(setUpDriver(driver, context));
      } catch (error) {
        monitor.pending.tell();
        monitor.threw(error);
        return FAILED;
      }
    },
    *run(inner: never, state: never): Task<void> {
      if ((state as unknown) === FAILED) return;
      const real = inner as DriverContext;
      const beganNs = real.now();
      const context = wrap(real, beganNs);
      told = context;
      stays.began(beganNs);
      let thrown = false;
      try {
        yield* monitor.drive(monitor.during(() => runDriver(driver, context, state)));
      } catch (error) {
        thrown = true;
        monitor.threw(error);
      }
      context.endStay(thrown);
      monitor.endStay(thrown);
      stays.ended(real.now(), !thrown && isTooEarly(real, driver));
    },
  };
}

const FAILED: unique symbol = Symbol('set-up failed');

/** Whether a driver with inputs has returned while all of them may still bring frames. */
function isTooEarly({ ports }: DriverContext, driver: AnyDriver): boolean {
  const inputs = Object.entries(driver.ports).filter(([, { direction }]) => direction === 'in');
  const linked = inputs.flatMap(([name]) => {
    const port = ports[name] as { readonly ended: boolean } | undefined;
    return port === undefined ? [] : [port];
  });
  return linked.length > 0 && linked.every(({ ended }) => !ended);
}
