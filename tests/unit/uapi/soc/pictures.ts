/** Pictures in the memory of a process, and what a GPU makes of them. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  composeOverlay,
  convertNv12ToRgba,
  defaultOverlay,
  drawNumberNv12,
  drawTestPattern,
  nv12ImageOf,
  nv12Layout,
  rgbaImageOf,
  rgbaLayout,
} from '@dmabuf-lab/drivers/pixels';
import {
  allocateFromHeap,
  createRenderBuffer,
  mapDmaBuf,
  openHeap,
  type Process,
  primeFdToHandle,
  type RenderBuffer,
  type RenderSource,
} from '@dmabuf-lab/uapi';

export const WIDTH = 320;
export const HEIGHT = 180;
export const NV12_STRIDE = 320;
export const RGBA_STRIDE = 1280;
export const NV12_BYTES = (NV12_STRIDE * HEIGHT * 3) / 2;
export const RGBA_BYTES = RGBA_STRIDE * HEIGHT;

/** The test pattern, packed. */
export function testPattern(sequence: number): Uint8Array {
  const bytes = new Uint8Array(NV12_BYTES);
  drawTestPattern(nv12ImageOf([bytes], nv12Layout(WIDTH, HEIGHT)), sequence);
  return bytes;
}

/** What the GPU of scenarios renders of a picture: conversion, and the overlay with a number. */
export function rendered(nv12: Uint8Array, sequence: number): Uint8Array {
  const bytes = new Uint8Array(RGBA_BYTES);
  const image = rgbaImageOf([bytes], rgbaLayout(WIDTH, HEIGHT));
  convertNv12ToRgba(nv12ImageOf([nv12], nv12Layout(WIDTH, HEIGHT)), image);
  composeOverlay(image, defaultOverlay(WIDTH, HEIGHT, 'dmabuf-lab', sequence));
  return bytes;
}

/** What the GPU makes of a picture that it draws into. */
export function numbered(nv12: Uint8Array, sequence: number): Uint8Array {
  const bytes = nv12.slice();
  drawNumberNv12(nv12ImageOf([bytes], nv12Layout(WIDTH, HEIGHT)), sequence);
  return bytes;
}

/** A picture as the source of a job. */
export const nv12Source = (handle: number): RenderSource => ({
  handle,
  format: 'NV12',
  widthPixels: WIDTH,
  heightPixels: HEIGHT,
  strideBytes: NV12_STRIDE,
});

export const rgbaTarget = ({ handle }: { readonly handle: number }) => ({ handle, strideBytes: RGBA_STRIDE });

/** A buffer of the heap, and the same in a DRM file. */
export interface HeapPicture {
  readonly fd: number;
  readonly address: number;
  readonly handle: number;
}

/** A buffer of a heap that holds a picture, imported. */
export function* heapPicture(process: Process, drm: number, bytes: Uint8Array): Task<HeapPicture> {
  const fd = yield* allocateFromHeap(process, openHeap(process, 'system'), bytes.length);
  const address = mapDmaBuf(process, fd);
  process.memory.write(address, bytes);
  return { fd, address, handle: yield* primeFdToHandle(process, drm, fd) };
}

/** A target of the GPU's own. */
export const rgbaBuffer = (process: Process, gpu: number): Task<RenderBuffer> =>
  createRenderBuffer(process, gpu, RGBA_BYTES);
