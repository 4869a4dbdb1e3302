/** MP4 files of one H.264 track, by mediabunny. */
import {
  BufferSource,
  BufferTarget,
  EncodedPacket,
  EncodedPacketSink,
  EncodedVideoPacketSource,
  Input,
  MP4,
  Mp4OutputFormat,
  Output,
} from 'mediabunny';

/** One frame's bitstream: NAL units, each after its length in four bytes. */
export interface H264Packet {
  readonly data: Uint8Array;
  readonly keyFrame: boolean;
}

/** Frames per second, as a fraction. */
export interface FrameRate {
  readonly num: number;
  readonly den: number;
}

/** A stream to be put in a file. */
export interface H264Stream {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly frameRate: FrameRate;
  /** The AVCDecoderConfigurationRecord: SPS, PPS and the size of the length fields. */
  readonly avcConfig: Uint8Array;
  readonly packets: readonly H264Packet[];
  /** The time of each packet, in frames of the frame rate, rising. */
  readonly frameIndexes: readonly number[];
}

/** What the pictures are, for players: BT.601 (SMPTE 170M) in limited range. */
const COLOR_SPACE = { primaries: 'smpte170m', transfer: 'smpte170m', matrix: 'smpte170m', fullRange: false } as const;

/**
 * Writes the file, its index first. The same stream always gives the same bytes: the file carries no date.
 *
 * A gap in the frame indexes becomes a longer duration of the frame before it, so that the video keeps its timing.
 */
export async function writeMp4(stream: H264Stream): Promise<Uint8Array> {
  const { num, den } = stream.frameRate;
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: 'in-memory' }), target });
  const source = new EncodedVideoPacketSource('avc');
  output.addVideoTrack(source, { frameRate: num / den });
  await output.start();
  const decoderConfig = {
    codec: codecOf(stream.avcConfig),
    codedWidth: stream.widthPixels,
    codedHeight: stream.heightPixels,
    description: stream.avcConfig,
    colorSpace: COLOR_SPACE,
  };
  for (const [i, { data, keyFrame }] of stream.packets.entries()) {
    const time = (stream.frameIndexes[i] * den) / num;
    const packet = new EncodedPacket(data, keyFrame ? 'key' : 'delta', time, den / num);
    await source.add(packet, i === 0 ? { decoderConfig } : undefined);
  }
  await output.finalize();
  const bytes = new Uint8Array(target.buffer ?? new ArrayBuffer(0));
  clearDates(bytes, 0, bytes.length);
  return bytes;
}

/** Takes the H.264 track of an MP4 file apart, in decode order. */
export async function readMp4(file: Uint8Array): Promise<{ avcConfig: Uint8Array; packets: H264Packet[] }> {
  const input = new Input({ formats: [MP4], source: new BufferSource(file) });
  try {
    const track = await input.getPrimaryVideoTrack();
    const config = await track?.getDecoderConfig();
    if (!track || !config?.description) throw new Error('Cannot read the encoded file: it has no H.264 track');
    const { description } = config;
    const avcConfig = ArrayBuffer.isView(description)
      ? new Uint8Array(description.buffer, description.byteOffset, description.byteLength)
      : new Uint8Array(description);
    const packets: H264Packet[] = [];
    for await (const { data, type } of new EncodedPacketSink(track).packets()) {
      packets.push({ data, keyFrame: type === 'key' });
    }
    return { avcConfig, packets };
  } finally {
    input.dispose();
  }
}

/** The codec string of RFC 6381: profile, constraints and level as the configuration record has them. */
function codecOf(avcConfig: Uint8Array): string {
  return `avc1.${Buffer.from(avcConfig.subarray(1, 4)).toString('hex')}`;
}

const CONTAINER_BOXES = ['moov', 'trak', 'mdia'];
const DATED_BOXES = ['mvhd', 'tkhd', 'mdhd'];

/** Zeroes the creation and modification times, which begin these boxes after their version. Source: ISO/IEC 14496-12. */
function clearDates(file: Uint8Array, start: number, end: number): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = start; at + 8 <= end; ) {
    const wide = view.getUint32(at) === 1;
    const sizeBytes = wide ? Number(view.getBigUint64(at + 8)) : view.getUint32(at) || end - at;
    const type = Buffer.from(file.subarray(at + 4, at + 8)).toString('latin1');
    const body = at + (wide ? 16 : 8);
    if (CONTAINER_BOXES.includes(type)) clearDates(file, body, at + sizeBytes);
    if (DATED_BOXES.includes(type)) file.fill(0, body + 4, body + 4 + (file[body] === 1 ? 16 : 8));
    at += sizeBytes;
  }
}
