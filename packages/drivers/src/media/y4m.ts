/** Reader of YUV4MPEG2 files: a text header, then for each frame a line `FRAME` and its planes. */
import { type FileHandle, open } from 'node:fs/promises';
import { i420ToNv12 } from './chroma.js';
import { MediaError } from './media-error.js';
import { checkPictureInfo, pictureList } from './picture-list.js';
import type { PictureInfo, PictureSource } from './picture-source.js';

/** The variants of 8-bit 4:2:0 differ only in where chroma is sampled, which we do not model. */
const I420_TAGS = ['420jpeg', '420mpeg2', '420paldv', '420'];

/** No sane header or FRAME line is longer. */
const LINE_LIMIT_BYTES = 1024;
const CHROMA_NEUTRAL = 128;

interface Y4mIndex extends PictureInfo {
  readonly mono: boolean;
  /** Bytes of one frame's planes in the file. */
  readonly frameBytes: number;
  /** Offset in the file of each frame's planes. */
  readonly frameOffsets: readonly number[];
}

/** @throws MediaError as `probePictureSource` */
export async function probeY4m(path: string): Promise<PictureInfo> {
  const file = await open(path);
  try {
    const { widthPixels, heightPixels, frameCount } = await readIndex(path, file);
    return { widthPixels, heightPixels, frameCount };
  } finally {
    await file.close();
  }
}

/** @throws MediaError as `openPictureSource` */
export async function openY4m(path: string): Promise<PictureSource> {
  const file = await open(path);
  try {
    const index = await readIndex(path, file);
    const { widthPixels, heightPixels, mono, frameBytes } = index;
    const lumaBytes = widthPixels * heightPixels;
    const pictures: Uint8Array[] = [];
    for (const offset of index.frameOffsets) {
      const picture = new Uint8Array(lumaBytes * 1.5);
      await readFully(path, file, picture.subarray(0, frameBytes), offset);
      if (mono) picture.fill(CHROMA_NEUTRAL, lumaBytes);
      else i420ToNv12(picture, lumaBytes);
      pictures.push(picture);
    }
    return pictureList(path, widthPixels, heightPixels, pictures);
  } finally {
    await file.close();
  }
}

/** Reads the header and every FRAME line, and checks that the last frame is whole. */
async function readIndex(path: string, file: FileHandle): Promise<Y4mIndex> {
  const sizeBytes = (await file.stat()).size;
  const header = await readLine(file, 0);
  if (header?.split(' ')[0] !== 'YUV4MPEG2') throw new MediaError(path, 'it does not begin with a YUV4MPEG2 header');
  const { widthPixels, heightPixels, mono } = parseHeader(path, header);
  const frameBytes = widthPixels * heightPixels * (mono ? 1 : 1.5);
  const frameOffsets: number[] = [];
  for (let offset = Buffer.byteLength(header, 'latin1') + 1; offset < sizeBytes; ) {
    const line = await readLine(file, offset);
    if (line === undefined || line.split(' ')[0] !== 'FRAME') {
      throw new MediaError(path, `frame ${frameOffsets.length} does not begin with FRAME, at byte ${offset}`);
    }
    offset += line.length + 1;
    if (offset + frameBytes > sizeBytes) {
      const missing = offset + frameBytes - sizeBytes;
      throw new MediaError(
        path,
        `it is cut short: frame ${frameOffsets.length} lacks ${missing} of ${frameBytes} bytes`,
      );
    }
    frameOffsets.push(offset);
    offset += frameBytes;
  }
  checkPictureInfo(path, { widthPixels, heightPixels, frameCount: frameOffsets.length });
  return { widthPixels, heightPixels, mono, frameBytes, frameOffsets, frameCount: frameOffsets.length };
}

function parseHeader(path: string, header: string): { widthPixels: number; heightPixels: number; mono: boolean } {
  const fields = new Map(header.split(' ').map((field) => [field[0], field.slice(1)]));
  const size = (tag: string): number => {
    const text = fields.get(tag) ?? '';
    if (!/^[1-9]\d{0,4}$/.test(text)) {
      throw new MediaError(path, `the header's ${tag} must be a size in pixels, got "${text}"`);
    }
    return Number(text);
  };
  const widthPixels = size('W');
  const heightPixels = size('H');
  const colour = fields.get('C') ?? '420jpeg';
  if (colour !== 'mono' && !I420_TAGS.includes(colour)) {
    const accepted = [...I420_TAGS, 'mono'].map((tag) => `C${tag}`).join(', ');
    throw new MediaError(path, `its pixel format must be one of ${accepted}, got C${colour}`);
  }
  // Checked before the frames are walked: with odd sizes their planes would not be where we look.
  checkPictureInfo(path, { widthPixels, heightPixels, frameCount: 1 });
  return { widthPixels, heightPixels, mono: colour === 'mono' };
}

/** The line at an offset without its newline, or undefined when there is none within the limit. */
async function readLine(file: FileHandle, offset: number): Promise<string | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LINE_LIMIT_BYTES), 0, LINE_LIMIT_BYTES, offset);
  const end = buffer.subarray(0, bytesRead).indexOf(0x0a);
  return end < 0 ? undefined : buffer.toString('latin1', 0, end);
}

async function readFully(path: string, file: FileHandle, into: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) throw new MediaError(path, 'it became shorter while it was read');
    done += bytesRead;
  }
}
