/** Writes what a run leaves: videos, pictures, the trace, and last the result that lists them. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Piscina } from 'piscina';
import {
  type RunArtefact,
  type RunOutcome,
  type RunResult,
  runResultSchema,
  toCanonicalJson,
} from '../result/index.js';
import { encodePerfettoTrace } from './perfetto.js';
import type { PngReply, PngTask } from './png-worker.js';

const TRACE_FILE = 'trace.pftrace';
const RESULT_FILE = 'result.json';

/**
 * Writes the files of a run into a directory, which is made if need be. Files of the same names are replaced; others that
 * the `result.json` of an earlier run lists are removed, so that what lies there is of one run. Nothing else is touched.
 *
 * Every file is written under another name first and then renamed, so none is ever seen half written. `result.json`
 * comes last: where it is, all it names is there.
 *
 * @param dir absolute, or relative to the current directory
 * @param options.trace whether to write the trace
 * @returns the result with its artefacts listed
 * @throws Error with the system's code when a file cannot be written
 */
export async function writeOutputs(
  dir: string,
  outcome: RunOutcome,
  options: { readonly trace: boolean },
): Promise<RunResult> {
  await makeDirectory(dir);
  const earlier = await listedFiles(dir);
  const artefacts: RunResult['artefacts'] = await writeArtefacts(dir, outcome.artefacts);
  if (options.trace) {
    await writeWhole(join(dir, TRACE_FILE), encodePerfettoTrace(outcome.trace, outcome.result.scenario));
    artefacts.push({ kind: 'trace', file: TRACE_FILE });
  }
  artefacts.push({ kind: 'result', file: RESULT_FILE });
  const result = { ...outcome.result, artefacts };
  await writeWhole(join(dir, RESULT_FILE), toCanonicalJson(result));
  const written = new Set(artefacts.map(({ file }) => file));
  for (const file of earlier) if (!written.has(file)) await rm(join(dir, file), { force: true });
  return result;
}

/**
 * Writes what devices have made into a directory, which is made if need be; files of the same names are replaced.
 *
 * @returns what was written, in the order given
 * @throws Error with the system's code when a file cannot be written
 */
export async function writeArtefacts(dir: string, made: readonly RunArtefact[]): Promise<RunResult['artefacts']> {
  await makeDirectory(dir);
  const written: RunResult['artefacts'] = [];
  const pictures = made.filter(({ kind }) => kind === 'picture');
  const encoded = new Map<RunArtefact, Uint8Array>();
  for (const [i, png] of (await encodePictures(pictures)).entries()) encoded.set(pictures[i], png);
  for (const artefact of made) {
    const { kind, device, name, bytes, frames, backend } = artefact;
    const file = fileName(`${device}-${name}`);
    await writeWhole(join(dir, file), encoded.get(artefact) ?? bytes);
    written.push({
      kind,
      device,
      file,
      ...(frames !== undefined && { frames }),
      ...(backend !== undefined && { backend }),
    });
  }
  return written;
}

/** `mkdir` with `recursive` of Node 20 never ends where the parent is there and the system still says ENOENT: /proc. */
async function makeDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(dir);
    if (code === 'EEXIST' && (await stat(dir)).isDirectory()) return;
    if (code !== 'ENOENT' || parent === dir || (await stat(parent).catch(() => undefined)) !== undefined) throw error;
    await makeDirectory(parent);
    await makeDirectory(dir);
  }
}

/** What the result of an earlier run in this directory lists; nothing when there is none, or none that can be read. */
async function listedFiles(dir: string): Promise<string[]> {
  try {
    const result = runResultSchema.parse(JSON.parse(await readFile(join(dir, RESULT_FILE), 'utf8')));
    return result.artefacts.map(({ file }) => file).filter((file) => fileName(file) === file && !/^\.*$/.test(file));
  } catch {
    return [];
  }
}

/** Encodes pictures side by side: the work is all of one kind and remembers nothing, so any thread can take any. */
async function encodePictures(pictures: readonly RunArtefact[]): Promise<Uint8Array[]> {
  if (pictures.length === 0) return [];
  const pool = new Piscina<PngTask, PngReply>({
    filename: new URL('./png-worker.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: Math.max(1, Math.min(pictures.length, availableParallelism())),
  });
  try {
    return await Promise.all(
      pictures.map(async ({ device, name, bytes, widthPixels = 0, heightPixels = 0 }) => {
        const reply = await pool.run({ rgba: bytes, widthPixels, heightPixels });
        if ('problem' in reply) throw new Error(`Cannot encode ${device}-${name}: ${reply.problem}`);
        return reply.png;
      }),
    );
  } finally {
    await pool.destroy();
  }
}

/** Names of devices and files come from a scenario or a driver: they must not lead out of the directory. */
const fileName = (name: string): string => name.replace(/[^\w.@+-]/g, '_');

async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.part`;
  try {
    await writeFile(temporary, data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
