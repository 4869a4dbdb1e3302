import { BufferSource, EncodedPacketSink, Input, MP4 } from 'mediabunny';

/** Presentation times of an MP4 file's video packets, in seconds. */
export async function readMp4Times(file: Uint8Array): Promise<number[]> {
  const input = new Input({ formats: [MP4], source: new BufferSource(file) });
  const track = await input.getPrimaryVideoTrack();
  const times: number[] = [];
  if (track) for await (const packet of new EncodedPacketSink(track).packets()) times.push(packet.timestamp);
  return times;
}
