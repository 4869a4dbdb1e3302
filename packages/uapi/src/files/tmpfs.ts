/** A folder of files in memory. Source: mm/shmem.c, v6.12. */
import { O } from '../abi/fcntl.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { OpenFile } from '../kernel/open-file.js';
import { MemfdFile } from './memfd.js';
import { MemoryFile } from './memory-file.js';

/** What open(2) creates: nobody else may use it. */
const NEW_MODE = 0o600;

/** A file with a name. No seal can be added to it. */
class TmpfsFile extends MemfdFile {
  protected override get links(): number {
    return 1;
  }

  protected override another(flags: number): MemfdFile {
    return new TmpfsFile(this.content, this.linkTarget, flags);
  }
}

/** Adds a folder where O_CREAT makes files; they stay as long as the machine. */
export function addTmpfs(kernel: SimulatedKernel, path: string): void {
  kernel.addFolder(path, (file) => {
    const content = new MemoryFile(kernel, kernel.nextInode(), { sealable: false, executable: true });
    content.mode = NEW_MODE;
    content.opened();
    return (flags): OpenFile => {
      if ((flags & O.TRUNC) !== 0) content.resize(0);
      return new TmpfsFile(content, file, flags);
    };
  });
}
