/**
 * A source of raw frames: a file of NV12 pictures one after the other, without headers, as `ffmpeg -pix_fmt nv12 -f rawvideo` writes
 * them. It is read picture by picture while the run goes on; model time stands still for that.
 *
 * Run it: `npm run -s lab -- run examples/drivers/raw-file.yaml --out out/raw`.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { firstTickAt, tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output, rateSchema } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

const side = z.number().int().min(2).max(8192).multipleOf(2);

export default defineDriver({
  name: 'raw-file',
  parameters: z.strictObject({
    file: z.string().optional().meta({ description: 'of NV12 pictures; absent = grey ones, so that it runs without' }),
    width: side.default(64).meta({ description: 'pixels of each picture, even' }),
    height: side.default(48).meta({ description: 'pixels of each picture, even' }),
    rate: rateSchema.default({ num: 30, den: 1 }).meta({ description: 'pictures a second' }),
    frames: z.number().int().positive().optional().meta({ description: 'how many; those of the file when absent' }),
  }),
  ports: { out: output() },

  // Before the run: how many pictures there are. What is wrong with the file is told then.
  async prepare({ file, width, height, ...rest }) {
    if (file === undefined) return { file, width, height, ...rest };
    const { size } = await stat(file).catch((error) => {
      throw new Error(`Cannot read ${file}: ${(error as Error).message}`);
    });
    const pictureBytes = (width * height * 3) / 2;
    if (size === 0 || size % pictureBytes !== 0) {
      throw new Error(
        `Cannot read ${file}: its ${size} bytes are not whole pictures of ${width}x${height} (${pictureBytes})`,
      );
    }
    return {
      ...rest,
      file,
      width,
      height,
      frames: Math.min(rest.frames ?? Number.POSITIVE_INFINITY, size / pictureBytes),
    };
  },

  plan({ width, height, rate }) {
    return { outputs: { out: frameFormat('NV12', width, height, rate) } };
  },

  // What takes long and is no part of the run.
  *setup(ctx) {
    const { file } = ctx.parameters;
    if (file === undefined || ctx.payload !== 'pixels') return undefined;
    return yield* ctx.external(open(file), `opening ${file}`);
  },

  *run(ctx, file) {
    const { out } = ctx.ports;
    const { width, height, rate, frames = Number.POSITIVE_INFINITY } = ctx.parameters;
    const picture = new Uint8Array((width * height * 3) / 2).fill(128);
    const lane = ctx.lane();
    // Whoever comes late, or again after a death, begins with the next tick, and with the first picture.
    const first = firstTickAt(ctx.backPressured ? 0 : ctx.now(), rate);
    for (let sequence = 0; sequence < frames; sequence += 1) {
      const tickNs = tickTime(first + sequence, rate);
      if (!(yield* ctx.tick(tickNs))) break; // the run ends
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence); // no buffer is free at the tick: the frame is lost, and its number with it
        continue;
      }
      frame.describe(sequence, ctx.backPressured ? ctx.now() : tickNs);
      if (file !== undefined) yield* ctx.external(readPicture(file, picture, sequence), 'reading a picture');
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) {
        ctx.dropped(sequence);
        continue;
      }
      if (ctx.payload === 'pixels') {
        const { luma, chroma } = nv12Of(frame, job.segments(frame));
        for (let y = 0; y < height; y += 1) luma.writeRow(y, picture.subarray(y * width, (y + 1) * width));
        for (let y = height; y < height * 1.5; y += 1) {
          chroma.writeRow(y - height, picture.subarray(y * width, (y + 1) * width));
        }
      }
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
    if (file !== undefined) yield* ctx.external(file.close(), 'closing the file');
  },
});

async function readPicture(file: FileHandle, picture: Uint8Array, index: number): Promise<void> {
  const { bytesRead } = await file.read(picture, 0, picture.length, index * picture.length);
  if (bytesRead < picture.length) throw new Error(`Cannot read picture ${index}: the file has become shorter`);
}
