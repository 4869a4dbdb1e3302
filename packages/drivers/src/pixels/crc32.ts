/** Checksums of pixels, by the CRC-32 of zlib (polynomial 0xEDB88320), run in native code on the memory itself. */
import { crc32 } from 'node:zlib';
import type { PlaneRows } from './plane-rows.js';

/**
 * Continues a checksum.
 *
 * @param crc what the bytes before gave, 0 to begin
 * @param bytes may be a view of shared memory
 * @returns 0 to 2^32-1
 */
export function crc32Update(crc: number, bytes: Uint8Array): number {
  return crc32(bytes, crc);
}

/** Checksum of the segments' concatenation, as `crc32Update`. */
export function crc32OfSegments(segments: readonly Uint8Array[], crc = 0): number {
  return segments.reduce(crc32Update, crc);
}

/**
 * Checksum of a plane's pixels, row by row without the padding: equal pictures give equal sums whatever their strides.
 *
 * @param planes one or several, in order: luma then chroma for an NV12 image
 */
export function crc32OfRows(...planes: readonly PlaneRows[]): number {
  let crc = 0;
  for (const plane of planes) {
    for (let y = 0; y < plane.heightRows; y++) crc = crc32(plane.row(y), crc);
  }
  return crc;
}
