/** H.264 as a byte stream: NAL units after start codes. Source: Annex B of ITU-T H.264. */
import type { H264BitstreamFrame } from './h264-encoder.js';
import type { H264Packet } from './mp4-file.js';

const START_CODE = Uint8Array.of(0, 0, 0, 1);
/** Where the lists of parameter sets begin in an AVCDecoderConfigurationRecord. Source: ISO/IEC 14496-15. */
const FIRST_COUNT = 5;
const LENGTH_BYTES = 4;

/**
 * Takes a frame out of the form it has in a file.
 *
 * @param packet NAL units, each after its length in four bytes
 * @param avcConfig whose parameter sets are put in front of a key frame, so that a decoder can start there
 */
export function toAnnexB({ data, keyFrame }: H264Packet, avcConfig: Uint8Array): H264BitstreamFrame {
  const units = keyFrame ? [...parameterSets(avcConfig), ...unitsOf(data)] : unitsOf(data);
  return { data: new Uint8Array(Buffer.concat(units.flatMap((unit) => [START_CODE, unit]))), keyFrame };
}

const IDR_SLICE = 5;

/** Whether decoding can begin with a frame. Source: nal_unit_type 5, Table 7-1 of ITU-T H.264. */
export const isKeyFrame = (data: Uint8Array): boolean => unitsOf(data).some(([first]) => (first & 0x1f) === IDR_SLICE);

function unitsOf(data: Uint8Array): Uint8Array[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const units: Uint8Array[] = [];
  for (let at = 0; at + LENGTH_BYTES <= data.length; ) {
    const begin = at + LENGTH_BYTES;
    at = begin + view.getUint32(at);
    units.push(data.subarray(begin, at));
  }
  return units;
}

/** The SPS and then the PPS of the record; each list begins with its length, in which the SPS have three bits more. */
function parameterSets(config: Uint8Array): Uint8Array[] {
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  const sets: Uint8Array[] = [];
  let at = FIRST_COUNT;
  for (const mask of [0x1f, 0xff]) {
    const count = config[at] & mask;
    at += 1;
    for (let i = 0; i < count; i += 1) {
      const begin = at + 2;
      at = begin + view.getUint16(at);
      sets.push(config.subarray(begin, at));
    }
  }
  return sets;
}
