/** The images in the frames of the simulated devices. */
import type { Frame } from '@dmabuf-lab/core/driver';
import { type Nv12Image, nv12ImageOf, nv12Layout, type RgbaImage, rgbaImageOf, rgbaLayout } from './image-layout.js';

/** @param segments the frame's pages, as a job sees them */
export function nv12Of({ format }: Frame, segments: readonly Uint8Array[]): Nv12Image {
  return nv12ImageOf(segments, nv12Layout(format.widthPixels, format.heightPixels, format.strideBytes, format.rows));
}

/** @param segments the frame's pages, as a job sees them */
export function rgbaOf({ format }: Frame, segments: readonly Uint8Array[]): RgbaImage {
  return rgbaImageOf(segments, rgbaLayout(format.widthPixels, format.heightPixels, format.strideBytes));
}
