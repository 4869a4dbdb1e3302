/** What the rig puts behind each output: a consumer that looks at every frame and takes its time. */
import { z } from 'zod';
import { defineDriver, input } from '../driver/index.js';

const parameters = z.object({
  /** It works so long on each frame. */
  serviceNs: z.number().default(0),
});

export type TestSinkParameters = z.input<typeof parameters>;

/** A frame as a sink has seen it. */
export interface SeenFrame {
  readonly sequence: number;
  /** Errno, 0 when it is good. */
  readonly error: number;
  /** Whether its content is what its writer sealed. */
  readonly good: boolean;
  readonly checksum: number;
}

/** The name of the artefact in which a sink leaves what it has seen. */
export const SEEN = 'seen.json';

const ports = { in: input() };

export const testSink = defineDriver({
  name: 'test-sink',
  parameters,
  ports,

  plan: () => ({ outputs: {} }),

  *run(ctx) {
    const source = ctx.ports.in;
    const lane = ctx.lane();
    const seen: SeenFrame[] = [];
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      const job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
      if (job === undefined) {
        source.drop(frame);
        continue;
      }
      const good = ctx.verify(job, frame);
      const { sequence, error, checksum } = frame;
      seen.push({ sequence, error, good, checksum: ctx.payload === 'pixels' ? checksum : 0 });
      if (ctx.parameters.serviceNs > 0) yield* ctx.sleepUntil(ctx.now() + ctx.parameters.serviceNs);
      job.end();
      source.release(frame);
    }
    ctx.artefact({ kind: 'text', name: SEEN, bytes: new TextEncoder().encode(JSON.stringify(seen)) });
  },
});

/** What a sink has left. A sink that left and came again has several. */
export function seenIn(artefacts: readonly { readonly name: string; readonly bytes: Uint8Array }[]): SeenFrame[] {
  const lists = artefacts.filter(({ name }) => name.startsWith('seen'));
  return lists.flatMap(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as SeenFrame[]);
}
