/** A directory that has been opened, which is good for little. Source: fs/libfs.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O } from '../abi/fcntl.js';
import { type Inode, OpenFile } from './open-file.js';

export class DirectoryFile extends OpenFile {
  constructor(
    readonly linkTarget: string,
    flags: number,
  ) {
    super(flags | O.LARGEFILE);
  }

  override get positional(): boolean {
    return true;
  }

  /** Directories are not listed, and their modes are not kept. */
  override get inode(): Inode {
    return { number: 0, sizeBytes: 0, blocks: 0, mode: 0o040755 };
  }

  /** Source: generic_read_dir. */
  override *read(): Task<Uint8Array> {
    throw new ErrnoError('EISDIR', 'read', `Cannot read ${this.linkTarget}: it is a directory`);
  }

  override reopen(flags: number): OpenFile {
    return new DirectoryFile(this.linkTarget, flags);
  }
}
