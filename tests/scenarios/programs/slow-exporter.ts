/**
 * The exporter of a run, whose second life never gets through its set-up: whatever is done to it, is done in its set-up. The next one says that it is
 * there, and goes on.
 */
import { external, type Task } from '@dmabuf-lab/core/base';
import type { ActorHost, ActorProgram } from '@dmabuf-lab/core/runtime';

export interface SlowStart {
  /** URL of the module of the exporter itself. */
  readonly module: string;
  /** What that starts with. */
  readonly data: unknown;
}

export const BACK = 'back again';

export function* program(host: ActorHost, { module, data }: SlowStart): Task<unknown> {
  if (host.life === 1) yield* external(new Promise<never>(() => {}), 'what never comes');
  const exporter = yield* external(import(module) as Promise<{ readonly program: ActorProgram }>, 'its module');
  if (host.life > 1) console.log(BACK);
  return yield* exporter.program(host, data);
}
