/** Ctrl-C: the first asks the run to stop, the second ends the process. */
import { EXIT } from './errors.js';

export interface Interrupt extends Disposable {
  /** Aborted at the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** @param onFirst called once, at the first Ctrl-C */
export function catchInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const listener = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    onFirst();
    controller.abort();
  };
  process.on('SIGINT', listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      process.off('SIGINT', listener);
    },
  };
}
