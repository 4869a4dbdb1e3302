import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A small tree of files in the system's temporary directory; removed by `dispose`. */
export class ScratchTree {
  readonly root = mkdtempSync(join(tmpdir(), 'dmabuf-lab-project-'));

  constructor(files: Readonly<Record<string, string>>) {
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  path(path: string): string {
    return join(this.root, path);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What the check scripts return. */
export interface Findings {
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/** A script of the repository; tests run compiled, four directories below its root. */
export async function importScript<T>(name: string): Promise<T> {
  const script: T = await import(new URL(`../../../../scripts/${name}`, import.meta.url).href);
  return script;
}
