/** Finds profiles and boards: those of the lab, and those of directories that users add. */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suggestion } from '../scenario/issues.js';
import { ScenarioError } from '../scenario/problem.js';
import { fileError, readError, readYaml, textOf, type YamlFile } from '../scenario/yaml-file.js';
import { type Board, completeBoard } from './board.js';
import { completeProfile, type Profile } from './profile.js';
import { boardSchema, profileSchema } from './schema.js';

/** A directory with `profiles` and `boards` in it. */
export interface LibraryDirectory {
  readonly path: string;
  /** As the user named it. */
  readonly shownAs: string;
}

const BUILT_IN: LibraryDirectory = {
  path: fileURLToPath(new URL('../../library', import.meta.url)),
  shownAs: 'library',
};

interface FoundFile {
  readonly path: string;
  readonly shownAs: string;
}

/**
 * Profiles and boards by id. A file is read when it is asked for, and then kept.
 *
 * Context: owner-actor; reads files and blocks.
 */
export class Library {
  readonly #profileFiles: ReadonlyMap<string, FoundFile>;
  readonly #boardFiles: ReadonlyMap<string, FoundFile>;
  readonly #profiles = new Map<string, Profile>();
  readonly #boards = new Map<string, Board>();

  /**
   * @param directories in addition to the lab's own
   * @throws ScenarioError when a directory cannot be read, or two files have one id
   */
  constructor(directories: readonly LibraryDirectory[] = []) {
    for (const directory of directories) {
      const problem = libraryProblem(directory);
      if (problem !== undefined) throw fileError(directory.shownAs, problem);
    }
    const all = [BUILT_IN, ...directories];
    this.#profileFiles = filesById(all, 'profiles', 'profile');
    this.#boardFiles = filesById(all, 'boards', 'board');
  }

  /** Ids of all profiles, sorted. */
  get profileIds(): string[] {
    return [...this.#profileFiles.keys()].sort();
  }

  /** Ids of all boards, sorted. */
  get boardIds(): string[] {
    return [...this.#boardFiles.keys()].sort();
  }

  /**
   * @returns undefined when there is none of that id
   * @throws ScenarioError when its file, or one that it extends, is not in order
   */
  profile(id: string): Profile | undefined {
    return this.#profile(id, []);
  }

  /**
   * @returns undefined when there is none of that id
   * @throws ScenarioError when its file is not in order
   */
  board(id: string): Board | undefined {
    const known = this.#boards.get(id);
    const file = this.#boardFiles.get(id);
    if (known !== undefined || file === undefined) return known;
    const { value, document } = readFile(file, 'board');
    const parsed = document.validateWith(boardSchema, value, []);
    if ('problems' in parsed) throw new ScenarioError(parsed.problems);
    assertNamedAsFile(parsed.value.id, id, document);
    const board = completeBoard(parsed.value, value, document, this);
    this.#boards.set(id, board);
    return board;
  }

  /** @param chain the profiles that extend this one, the first first */
  #profile(id: string, chain: readonly string[]): Profile | undefined {
    const known = this.#profiles.get(id);
    const file = this.#profileFiles.get(id);
    if (known !== undefined || file === undefined) return known;
    const { value, document } = readFile(file, 'profile');
    const parsed = document.validateWith(profileSchema, value, []);
    if ('problems' in parsed) throw new ScenarioError(parsed.problems);
    const stated = parsed.value;
    assertNamedAsFile(stated.id, id, document);
    const { extends: baseId } = stated;
    if (baseId !== undefined && [...chain, id].includes(baseId)) {
      const circle = [...chain, id, baseId].join(' → ');
      throw new ScenarioError([document.problemAt(['extends'], `profiles extend each other in a circle: ${circle}`)]);
    }
    const base = baseId === undefined ? undefined : this.#profile(baseId, [...chain, id]);
    if (baseId !== undefined && base === undefined) {
      const message = `unknown profile "${baseId}"${suggestion(baseId, this.profileIds)}`;
      throw new ScenarioError([document.problemAt(['extends'], message)]);
    }
    const profile = completeProfile(stated, document, base);
    this.#profiles.set(id, profile);
    return profile;
  }
}

function readFile({ path, shownAs }: FoundFile, noun: string): YamlFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw readError(error, shownAs, noun);
  }
  return readYaml(textOf(bytes, shownAs, noun), shownAs, noun);
}

function assertNamedAsFile(id: string, expected: string, document: YamlFile['document']): void {
  if (id === expected) return;
  throw new ScenarioError([document.problemAt(['id'], `expected the name of the file, ${expected}, got "${id}"`)]);
}

/** What is wrong with a directory as a library; undefined when it is one. */
export function libraryProblem({ path }: LibraryDirectory): string | undefined {
  const expected = 'expected a directory with a folder profiles or boards in it';
  const isFolder = (name: string): boolean =>
    statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder('profiles') || isFolder('boards') ? undefined : expected;
}

function filesById(
  directories: readonly LibraryDirectory[],
  folder: string,
  noun: string,
): ReadonlyMap<string, FoundFile> {
  const found = new Map<string, FoundFile>();
  for (const { path, shownAs } of directories) {
    for (const file of yamlFilesBelow({ path: join(path, folder), shownAs: join(shownAs, folder) })) {
      const id = basename(file.path, '.yaml');
      const other = found.get(id);
      if (other !== undefined) throw fileError(file.shownAs, `there is a ${noun} "${id}" in ${other.shownAs} already`);
      found.set(id, file);
    }
  }
  return found;
}

/** Files of a folder and the folders in it, in order of name; none when there is no such folder. */
function yamlFilesBelow(folder: FoundFile): FoundFile[] {
  return entriesOf(folder).flatMap((entry) => {
    const file = { path: join(folder.path, entry.name), shownAs: join(folder.shownAs, entry.name) };
    if (entry.isDirectory()) return yamlFilesBelow(file);
    return entry.name.endsWith('.yaml') ? [file] : [];
  });
}

function entriesOf({ path, shownAs }: FoundFile): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw readError(error, shownAs, 'library');
  }
}
