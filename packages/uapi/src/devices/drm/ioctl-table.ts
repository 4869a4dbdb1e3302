/** Entries of the tables of DRM ioctls. Source: struct drm_ioctl_desc, include/drm/drm_ioctl.h, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import { type IoctlCommand, ioctlNr } from '../../abi/ioctl.js';
import type { Struct } from '../../abi/struct.js';
import type { Process } from '../../kernel/process.js';
import type { DrmFile } from './drm-file.js';

/** Who may call an ioctl. Source: enum drm_ioctl_flags. */
export const PERMIT = { AUTH: 1, MASTER: 2, RENDER_ALLOW: 4 } as const;

/** An ioctl of a table. Its argument has been copied in, and is copied out afterwards, whatever comes of it. */
export interface DrmIoctl {
  readonly name: string;
  /** The number as the header has it; only its nr and directions count. */
  readonly number: number;
  readonly sizeBytes: number;
  readonly permit: number;
  /** @param data the argument, at least as long as the structure */
  run(call: { readonly file: DrmFile; readonly process: Process; readonly data: Uint8Array }): Task<number> | number;
}

/** A call with its structure decoded; the handler changes it in place. */
export interface StructCall<T> {
  readonly file: DrmFile;
  readonly process: Process;
  readonly data: T;
}

/** Makes an entry of a table whose handler works on the decoded structure. */
export function drmIoctl<T>(
  command: IoctlCommand<T> & { readonly struct: Struct<T> },
  permit: number,
  handle: (call: StructCall<T>) => Task<void> | undefined | void,
): [number, DrmIoctl] {
  const { name, number, struct } = command;
  function* run({ file, process, data: bytes }: Parameters<DrmIoctl['run']>[0]): Task<number> {
    const data = struct.decode(bytes);
    try {
      const started = handle({ file, process, data });
      if (started !== undefined) yield* started;
    } finally {
      bytes.set(struct.encode(data));
    }
    return 0;
  }
  return [ioctlNr(number), { name, number, sizeBytes: struct.size, permit, run }];
}

/** Makes an entry of an ioctl without an argument. */
export function plainIoctl(command: IoctlCommand, permit: number, handle: (file: DrmFile) => void): [number, DrmIoctl] {
  const { name, number } = command;
  const run = ({ file }: { readonly file: DrmFile }): number => {
    handle(file);
    return 0;
  };
  return [ioctlNr(number), { name, number, sizeBytes: 0, permit, run }];
}
