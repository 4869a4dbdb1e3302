/**
 * A driver that breaks the rule of published fences: with the fence of one job unsignalled it begins another. Two of it, each
 * with the other's buffer first, wait for each other.
 */
import { defineDriver, type Frame, input } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';

export default defineDriver({
  name: 'crossed',
  parameters: builtInDrivers.gpu.driver.parameters,
  ports: { a: input(), b: input() },
  plan: () => ({ outputs: {}, problems: [] }),
  *run(ctx) {
    const { a, b } = ctx.ports;
    const lane = ctx.lane();
    const isFirst = ctx.device === 'x';
    const inOrder = isFirst ? [a, b] : [b, a];
    const frames: Frame[] = [];
    for (const port of inOrder) {
      const frame = port && (yield* port.take());
      if (frame !== undefined) frames.push(frame);
    }
    if (frames.length < 2) return;
    const [first, second] = frames;
    // Whoever owes a fence may not wait for storage (the port refuses it): both buffers are mapped once before.
    const before = yield* ctx.begin(lane, [
      { frame: first, write: false },
      { frame: second, write: false },
    ]);
    before.end();
    yield* ctx.sleepUntil(40_000_000);
    const one = yield* ctx.begin(lane, [{ frame: first, write: true }]);
    yield* ctx.sleepUntil(isFirst ? 50_000_000 : 60_000_000);
    const two = yield* ctx.begin(lane, [{ frame: second, write: true }]);
    one.end();
    two.end();
    inOrder[0]?.release(first);
    inOrder[1]?.release(second);
    ctx.count('both');
  },
});
