/** Starts the command line as a user would, in a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From tests/dist/unit/lab/cli. */
export const mainPath = fileURLToPath(new URL('../../../../../packages/lab/dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What npm has put into the environment of these tests is taken out; `env` is added. */
export function start(cwd: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const { INIT_CWD: _, npm_lifecycle_event: __, ...rest } = process.env;
  return spawn(process.execPath, [mainPath, ...args], { cwd, env: { ...rest, ...env } });
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export const run = (cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  ended(start(cwd, args, env));

/** A camera and a display; `more` is added at the end, e.g. what is expected. */
export const scenario = (more = ''): string => `
name: small
duration: 500ms
runtime: virtual
payload: timing
memory:
  windows:
    - { name: dram, base: 0x4000_0000, size: 64MiB }
heaps:
  - { name: system, kind: system, window: dram }
devices:
  camera: { driver: camera, parameters: { width: 64, height: 48, rate: 30 } }
  gpu: { driver: gpu, parameters: { service: 2ms } }
  display: { driver: display, parameters: { refresh: 60, pictures: 2 } }
pools:
  camera.out: { buffers: 3 }
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
${more}`;

/** An empty directory with the scenario `small.yaml` in it. */
export async function scratch(t: { teardown(end: () => Promise<void>): void }, more?: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dmabuf-lab-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'small.yaml'), scenario(more));
  return dir;
}
