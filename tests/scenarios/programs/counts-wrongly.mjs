// An encoder that writes into words which are not its business: it counts a mapping that it never ends.
import { builtInDrivers } from '../../../packages/drivers/dist/index.js';

const { driver } = builtInDrivers.encoder;

export default {
  ...driver,
  setup: undefined,
  *run(ctx) {
    const { importer, tables } = ctx.parts;
    const [attachment] = importer.attachments;
    const lane = ctx.lane();
    const [mapping] = yield* importer.mapAll([attachment], lane);
    tables.buffers.mapNested(attachment.slot, attachment.cached);
    importer.unmap(mapping);
    for (;;) {
      const frame = yield* ctx.ports.in.take();
      if (frame === undefined) return;
      ctx.ports.in.release(frame);
    }
  },
};
