/** A directory with files of a library, for tests to break. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Library, ScenarioError } from '@dmabuf-lab/lab';
import type { ExecutionContext } from 'ava';

/** Writes files by their path below a new directory, which goes when the test ends. */
export function directoryWith(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'dmabuf-lab-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

/** A library with these files in addition, shown as `my`. */
export const libraryWith = (t: ExecutionContext, files: Readonly<Record<string, string>>): Library =>
  new Library([{ path: directoryWith(t, files), shownAs: 'my' }]);

/** What is said when something is read, one line a problem. */
export function complaintsOf(read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split('\n');
    throw error;
  }
}

/** A profile that is in order; `body` follows from line 6. */
export const profileText = (body: string, id = 'mine'): string => `id: ${id}
name: Mine
soc: None
kind: camera
description: A device of this test.
${body}
`;

/** A board that is in order; `body` follows from line 11. */
export const boardText = (body = ''): string => `id: mine
name: Mine
description: A board of this test.
memory:
  windows:
    - { name: dram, base: 0x4000_0000, size: 1GiB }
heaps:
  - { name: system, kind: system, window: dram }
devices: { camera: rk3399-rkisp1-mp }
inferred: [memory]
${body}
`;
