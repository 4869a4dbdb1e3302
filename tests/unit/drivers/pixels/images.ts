import {
  type Nv12Image,
  nv12ImageOf,
  nv12Layout,
  type RgbaImage,
  rgbaImageOf,
  rgbaLayout,
} from '@dmabuf-lab/drivers/pixels';

/** A new NV12 image in shared memory, in runs of `runBytes`. */
export function newNv12(
  widthPixels: number,
  heightPixels: number,
  runBytes = Infinity,
  strideBytes?: number,
): Nv12Image {
  const layout = nv12Layout(widthPixels, heightPixels, strideBytes);
  return nv12ImageOf(newSegments(layout.sizeBytes, runBytes), layout);
}

/** A new RGBA image in shared memory, in runs of `runBytes`. */
export function newRgba(
  widthPixels: number,
  heightPixels: number,
  runBytes = Infinity,
  strideBytes?: number,
): RgbaImage {
  const layout = rgbaLayout(widthPixels, heightPixels, strideBytes);
  return rgbaImageOf(newSegments(layout.sizeBytes, runBytes), layout);
}

export function newSegments(sizeBytes: number, runBytes = Infinity): Uint8Array[] {
  const segments: Uint8Array[] = [];
  for (let at = 0; at < sizeBytes; at += runBytes) {
    segments.push(new Uint8Array(new SharedArrayBuffer(Math.min(runBytes, sizeBytes - at))));
  }
  return segments;
}

/** Fills an NV12 image with one colour. */
export function fillNv12(image: Nv12Image, y: number, u: number, v: number): void {
  const { widthPixels } = image;
  for (let row = 0; row < image.luma.heightRows; row++) image.luma.writeRow(row, new Uint8Array(widthPixels).fill(y));
  const chroma = Uint8Array.from({ length: widthPixels }, (_, i) => (i % 2 === 0 ? u : v));
  for (let row = 0; row < image.chroma.heightRows; row++) image.chroma.writeRow(row, chroma);
}

/** The pixels of an RGBA image, tightly packed. */
export function pixelsOf(image: RgbaImage): Uint8Array {
  const rows = Array.from({ length: image.heightPixels }, (_, y) => image.pixels.row(y).slice());
  return new Uint8Array(Buffer.concat(rows));
}
