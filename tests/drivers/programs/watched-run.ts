/**
 * A process of its own: runs a scenario as `dmabuf-lab run` does, with a watch for stalls that loses its patience sooner.
 *
 * Arguments: the file of the scenario, and after how many milliseconds a stall is told of.
 */
import type { StallLimits, StallWatch } from '@dmabuf-lab/core/runtime';
import { executeRun, loadScenario, type PreparedRun, prepareRun } from '@dmabuf-lab/lab';

/** From tests/dist/drivers/programs; it belongs to the command line, which exports nothing. */
const WATCH = new URL('../../../../packages/lab/dist/cli/stall-watch.js', import.meta.url).href;
type StallWatchOf = (prepared: PreparedRun, limits?: StallLimits) => StallWatch | undefined;
const { stallWatchOf } = (await import(WATCH)) as { readonly stallWatchOf: StallWatchOf };

const [, , file, toldMs] = process.argv;
const prepared = await prepareRun(await loadScenario(file));
using stalls = stallWatchOf(prepared, { toldMs: Number(toldMs), endedMs: 60_000 });
if (stalls === undefined) throw new Error('this run is not watched');
const { result } = await executeRun(prepared, { collectTrace: false, onStep: stalls.onStep });
process.stdout.write(`${result.endedBy}\n`);
