/**
 * What a frame's pages carry, and how a reader finds out that they are torn or stale.
 *
 * `timing`  nothing: no page is touched
 * `stamp`   each page starts with a checksummed header that names buffer, sequence number and page; a page is the
 *           smallest run, so every run has one, also after a move has joined or split runs
 * `pixels`  a real image; its CRC-32 travels with the frame
 */
import { crc32 } from 'node:zlib';
import type { FrameFormat } from './frame-format.js';

export type Payload = 'timing' | 'stamp' | 'pixels';

const PAGE = 4096;
/** Words of a stamp: magic, buffer, sequence, page, checksum. */
const MAGIC = 0x446d6142;
/** Of one stamp. */
export const STAMP_BYTES = 20;

/** Writes a stamp at the start of every page of a buffer. */
export function writeStamps(segments: readonly Uint8Array[], buffer: number, sequence: number): void {
  forEachPage(segments, (words, at, page) => {
    words[at] = MAGIC;
    words[at + 1] = buffer;
    words[at + 2] = sequence;
    words[at + 3] = page;
    words[at + 4] = stampChecksum(buffer, sequence, page);
  });
}

/** Checks the stamps of a buffer. @returns the number of pages that do not carry the expected one */
export function badStamps(segments: readonly Uint8Array[], buffer: number, sequence: number): number {
  let bad = 0;
  forEachPage(segments, (words, at, page) => {
    const good =
      words[at] === MAGIC &&
      words[at + 1] === buffer &&
      words[at + 2] === sequence &&
      words[at + 3] === page &&
      words[at + 4] === stampChecksum(buffer, sequence, page);
    if (!good) bad += 1;
  });
  return bad;
}

/** The CRC-32 of the image bytes of a buffer, without its padding to whole pages. */
export function imageChecksum(segments: readonly Uint8Array[], format: FrameFormat): number {
  let crc = 0;
  let left = format.sizeBytes;
  for (const segment of segments) {
    if (left <= 0) break;
    crc = crc32(left < segment.length ? segment.subarray(0, left) : segment, crc);
    left -= segment.length;
  }
  return crc >>> 0;
}

function forEachPage(
  segments: readonly Uint8Array[],
  visit: (words: Int32Array, at: number, page: number) => void,
): void {
  let page = 0;
  for (const segment of segments) {
    const words = new Int32Array(segment.buffer, segment.byteOffset, segment.length / 4);
    for (let at = 0; at < words.length; at += PAGE / 4) {
      visit(words, at, page);
      page += 1;
    }
  }
}

function stampChecksum(buffer: number, sequence: number, page: number): number {
  let hash = Math.imul(MAGIC ^ buffer, 0x01000193);
  hash = Math.imul(hash ^ sequence, 0x01000193);
  return Math.imul(hash ^ page, 0x01000193);
}
