/** Runs in a thread of a pool: encodes one picture. */
import { PNG } from 'pngjs';

export interface PngTask {
  /** RGBA, one byte each, row after row. */
  readonly rgba: Uint8Array;
  readonly widthPixels: number;
  readonly heightPixels: number;
}

/** An error's code does not survive the way to another thread, so failure is an answer. */
export type PngReply = { readonly png: Uint8Array } | { readonly problem: string };

export default function encodePng({ rgba, widthPixels, heightPixels }: PngTask): PngReply {
  const expected = widthPixels * heightPixels * 4;
  if (rgba.byteLength !== expected) {
    return { problem: `${widthPixels} × ${heightPixels} RGBA pixels take ${expected} bytes, got ${rgba.byteLength}` };
  }
  const data = Buffer.from(rgba.buffer, rgba.byteOffset, rgba.byteLength);
  const picture = new PNG({ width: widthPixels, height: heightPixels });
  picture.data = data;
  return { png: new Uint8Array(PNG.sync.write(picture)) };
}
