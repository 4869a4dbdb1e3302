/** Buffers of a queue as frames of a driver. */
import { ERRNO, type ErrnoCode } from '@dmabuf-lab/core/base';
import type { FrameFormat } from '@dmabuf-lab/core/driver';
import { type Page, pagesFor } from '../../../kernel/pages.js';
import type { Vb2Buffer } from '../../v4l2/vb2-buffer.js';
import type { FrameContents } from '../frame-contents.js';
import { NodeFrame } from '../node-frame.js';

/** A buffer as a device that reads it has it. V4L2 waits for no fence of it. */
export function readFrame(buffer: Vb2Buffer, format: FrameFormat, contents: FrameContents): NodeFrame {
  return new NodeFrame({ format, pages: pagesOf(buffer, format), contents, shared: sharedOf(buffer) });
}

/** A buffer as a device that writes it has it: a job that fails spoils what is in it. */
export function writtenFrame(buffer: Vb2Buffer, format: FrameFormat, contents: FrameContents): NodeFrame {
  const end = (error?: ErrnoCode): void => {
    if (error !== undefined) frame.error = ERRNO[error];
  };
  const work = { dependencies: [], end };
  const shared = sharedOf(buffer);
  const frame: NodeFrame = new NodeFrame({ format, pages: pagesOf(buffer, format), contents, work, shared });
  return frame;
}

const sharedOf = ({ planes }: Vb2Buffer) => ({ files: planes[0].memory?.sharedAs ?? [], offsetBytes: 0 });

function pagesOf({ planes }: Vb2Buffer, { sizeBytes }: FrameFormat): readonly Page[] {
  return planes[0].memory?.pages.slice(0, pagesFor(sizeBytes)) ?? [];
}
