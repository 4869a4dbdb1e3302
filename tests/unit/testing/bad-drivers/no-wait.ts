/** Looks for a buffer to draw into while the fence of the picture that it reads is owed. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'no-wait',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const [reader, writer] = [ctx.lane(), ctx.lane()];
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using reading = yield* ctx.tryBegin(reader, [{ frame, write: false }]);
      if (reading === undefined || !ctx.verify(reading, frame)) continue;
      using target = yield* out.acquire(writer);
      target.describe(frame.sequence, frame.capturedNs);
      using writing = yield* ctx.tryBegin(writer, [{ frame: target, write: true }], { publish: false });
      if (writing === undefined) continue;
      if (ctx.payload === 'pixels') invert(reading.segments(frame), writing.segments(target));
      ctx.seal(writing, target);
      writing.end();
      reading.end();
      source.release(frame);
      yield* out.push(target);
    }
  },
});
