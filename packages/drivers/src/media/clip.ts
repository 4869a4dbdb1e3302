/** Reader of compressed video: MP4 and WebM taken apart by mediabunny, decoded by the native codecs. */
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VideoDecoderConfig, VideoFrame } from '@napi-rs/webcodecs';
import { ALL_FORMATS, EncodedPacketSink, FilePathSource, Input, type InputVideoTrack } from 'mediabunny';
import { i420ToNv12 } from './chroma.js';
import { MediaError } from './media-error.js';
import { checkPictureInfo, pictureList } from './picture-list.js';
import type { PictureInfo, PictureSource } from './picture-source.js';
import { StallGuard } from './stall-guard.js';
import type { WebCodecs, WebCodecsLoader } from './web-codecs.js';

/** Packets that may wait in the decoder. */
const DECODE_AHEAD = 16;

interface OpenedClip {
  readonly info: PictureInfo;
  readonly track: InputVideoTrack;
  readonly config: VideoDecoderConfig;
  readonly codecs: WebCodecs;
}

/** @throws MediaError as `probePictureSource` */
export async function probeClip(path: string, loadCodecs: WebCodecsLoader): Promise<PictureInfo> {
  return withClip(path, loadCodecs, async ({ info }) => info);
}

/** @throws MediaError as `openPictureSource` */
export async function openClip(path: string, loadCodecs: WebCodecsLoader): Promise<PictureSource> {
  return withClip(path, loadCodecs, async (clip) => {
    const { widthPixels, heightPixels } = clip.info;
    const decoded = await decodeAll(path, clip);
    if (decoded.length === 0) throw new MediaError(path, 'no frame could be decoded');
    return pictureList(path, widthPixels, heightPixels, decoded);
  });
}

async function withClip<Result>(
  path: string,
  loadCodecs: WebCodecsLoader,
  use: (clip: OpenedClip) => Promise<Result>,
): Promise<Result> {
  // Opening it ourselves first gives the plain reason (no such file, a directory), not mediabunny's.
  const file = await open(path);
  const { size: sizeBytes } = await file.stat().finally(() => file.close());
  if (sizeBytes === 0) throw new MediaError(path, 'it is empty');
  const input = new Input({ formats: ALL_FORMATS, source: new FilePathSource(path) });
  try {
    if (!(await input.canRead())) throw new MediaError(path, 'it is not a video file of a known kind');
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw new MediaError(path, 'it has no video track');
    const config = (await track.getDecoderConfig()) as VideoDecoderConfig | null;
    if (!config) throw new MediaError(path, 'its video codec is not known');
    const info: PictureInfo = {
      widthPixels: await track.getCodedWidth(),
      heightPixels: await track.getCodedHeight(),
      frameCount: (await track.computePacketStats()).packetCount,
    };
    checkPictureInfo(path, info);
    // In a file that is cut short the index may still list every packet, and reading merely stops at the end.
    if (!(await new EncodedPacketSink(track).getPacket(Infinity))) {
      throw new MediaError(path, 'it is cut short: its last frame lies past the end of the file');
    }
    const codecs = await loadCodecs().catch((error: Error) => {
      throw new MediaError(path, `${error.message}; a .y4m file always works`);
    });
    const support = await codecs.VideoDecoder.isConfigSupported(config).catch(() => undefined);
    if (!support?.supported) throw new MediaError(path, `its codec ${config.codec} cannot be decoded here`);
    return await use({ info, track, config, codecs });
  } finally {
    input.dispose();
  }
}

/** Decodes every packet; resolves to the pictures in presentation order, or rejects at the first error. */
async function decodeAll(path: string, { info, track, config, codecs }: OpenedClip): Promise<Uint8Array[]> {
  let rejectFailure: (error: Error) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    rejectFailure = reject;
  });
  failure.catch(() => {}); // whoever waits at that time sees it
  const guard = new StallGuard('decode the clip', (error) => rejectFailure(error));

  // In the order they come out, which is that of presentation. Their time stamps are not: @napi-rs/webcodecs 1.3.1 labels
  // pictures with the packets' times in decode order, wrong wherever there are B-frames.
  const pictures: Uint8Array[] = [];
  let copying = Promise.resolve();
  const decoder = new codecs.VideoDecoder({
    output: (frame) => {
      guard.busy();
      copying = copying
        .then(async () => {
          pictures.push(await nv12Of(path, frame, info));
        })
        .catch((error: Error) => guard.fail(error))
        .finally(() => frame.close());
    },
    error: (error) => guard.fail(error),
  });
  try {
    guard.busy();
    decoder.configure(config);
    for await (const packet of new EncodedPacketSink(track).packets()) {
      const { data, type, microsecondTimestamp: timestamp, microsecondDuration: duration } = packet;
      while (decoder.decodeQueueSize >= DECODE_AHEAD && !guard.error) await nextTurn();
      if (guard.error) throw guard.error;
      decoder.decode(new codecs.EncodedVideoChunk({ type, data, timestamp, duration }));
    }
    await Promise.race([decoder.flush(), failure]);
    await Promise.race([copying, failure]);
  } catch (error) {
    // A decoder that fails closes at once and gives its reason later; the guard sees to it that one comes.
    if (decoder.state === 'closed') await failure.catch(() => {});
    const reason = guard.error ?? (error as Error);
    throw reason instanceof MediaError ? reason : new MediaError(path, `it could not be decoded (${reason.message})`);
  } finally {
    guard.idle();
    if (decoder.state !== 'closed') decoder.close();
  }
  return pictures;
}

async function nv12Of(path: string, frame: VideoFrame, info: PictureInfo): Promise<Uint8Array> {
  const { format, visibleRect } = frame;
  if (visibleRect.width !== info.widthPixels || visibleRect.height !== info.heightPixels) {
    throw new MediaError(path, `a frame of ${visibleRect.width}x${visibleRect.height} in a video of another size`);
  }
  if (format !== 'I420' && format !== 'NV12') {
    throw new MediaError(path, `its pixel format must be 8-bit 4:2:0 (I420 or NV12), got ${format}`);
  }
  const bytes = new Uint8Array(info.widthPixels * info.heightPixels * 1.5);
  await frame.copyTo(bytes);
  if (format === 'I420') i420ToNv12(bytes, info.widthPixels * info.heightPixels);
  return bytes;
}
