/**
 * Keeps bundles by their content.
 *
 * Two files each: `KEY.json` says what a bundle was made of, and `HASH.mjs` is the bundle, named after its own content. A
 * bundle is good as long as everything that it was made of is what it was. Both files are written under another name and
 * renamed, the bundle first: who reads sees whole files, and two processes that write the same do no harm to each other.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file and the hash of its content; null: there is no such file. */
export type FileState = readonly [path: string, hash: string | null];

/** What was bundled. */
export interface Bundled {
  readonly code: string;
  /** Absolute path of the module that was asked for. */
  readonly entry: string;
  /** What went into it, the entry first. */
  readonly sources: readonly FileState[];
  /** What decided where its imports lead: package.json of packages, by `consultedState`; also where one would come first. */
  readonly consulted: readonly FileState[];
  /** Names that it exports. */
  readonly exports: readonly string[];
}

/** A bundle on disk: plain data. */
export interface StoredBundle extends Omit<Bundled, 'code'> {
  /** Absolute path of the bundle. */
  readonly path: string;
}

interface Manifest extends Omit<Bundled, 'code'> {
  readonly output: string;
}

export const hashOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The state of a file as it is now. */
export function fileState(path: string): FileState {
  try {
    return [path, hashOf(readFileSync(path))];
  } catch {
    return [path, null];
  }
}

/** The state of a file that decides where imports lead: where it really lies counts too, since packages may be links. */
export function consultedState(path: string): FileState {
  try {
    return [path, hashOf(`${realpathSync(path)}\n${readFileSync(path, 'utf8')}`)];
  } catch {
    return [path, null];
  }
}

/** @returns undefined when there is none, or when anything has changed since */
export function readBundle(folder: string, key: string): StoredBundle | undefined {
  try {
    const { output, ...made } = JSON.parse(readFileSync(join(folder, `${key}.json`), 'utf8')) as Manifest;
    const path = join(folder, `${output}.mjs`);
    const isSame = ([file, hash]: FileState): boolean => fileState(file)[1] === hash;
    const leadsSame = ([file, hash]: FileState): boolean => consultedState(file)[1] === hash;
    const isGood = isSame([path, output]) && made.sources.every(isSame) && made.consulted.every(leadsSame);
    return isGood ? { ...made, path } : undefined;
  } catch {
    return undefined; // absent, or not what this version writes
  }
}

/** @throws Error when the folder cannot be written */
export function writeBundle(folder: string, key: string, { code, ...made }: Bundled): StoredBundle {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const output = hashOf(code);
  const path = join(folder, `${output}.mjs`);
  if (fileState(path)[1] !== output) replace(path, code);
  const manifest: Manifest = { output, ...made };
  replace(join(folder, `${key}.json`), `${JSON.stringify(manifest)}\n`);
  return { ...made, path };
}

/** Puts a whole file in place in one step. */
function replace(path: string, content: string): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, content, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
