/** `dmabuf-lab profiles` and `dmabuf-lab boards`: what the library holds. */
import { type Command, Option } from 'commander';
import type { Library } from '../library/index.js';
import { describeError, EXIT, InputError } from './errors.js';
import { userPath } from './paths.js';

const EXIT_CODES = '\nExit codes: 0 it is shown; 2 there is no such thing, or a file is not right.\n';

interface LibraryFlags {
  readonly library?: readonly string[];
  readonly json?: boolean;
}

interface ListFlags extends LibraryFlags {
  readonly soc?: string;
  readonly kind?: string;
}

/** `--library DIR`, which may stand several times. */
export function libraryOption(): Option {
  return new Option(
    '--library <dir>',
    'a directory with profiles and boards of your own; may stand several times',
  ).argParser((dir: string, before: readonly string[] | undefined) => [...(before ?? []), dir]);
}

/** The directories of `--library`, as the library takes them. */
export function libraryDirectories(typed: readonly string[] | undefined): { path: string; shownAs: string }[] {
  return (typed ?? []).map((dir) => ({ path: userPath(dir), shownAs: dir }));
}

export function addProfilesCommand(program: Command): void {
  const profiles = program
    .command('profiles')
    .summary('list device profiles, or show one')
    .description('What real devices ask of buffers, each value with its source.')
    .addHelpText(
      'after',
      '\nExamples:\n  dmabuf-lab profiles list --soc rk3399\n  dmabuf-lab profiles show rk3399-vopb',
    );
  profiles
    .command('list')
    .description('Lists the device profiles.')
    .option('--soc <text>', 'only those of chips whose name contains this')
    .option('--kind <kind>', 'only those of this kind, e.g. camera, gpu, display, encoder')
    .addOption(libraryOption())
    .option('--json', 'print the profiles as JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  dmabuf-lab profiles list --kind display`)
    .action((flags: ListFlags) => showing(flags, (library) => listProfiles(library, flags)));
  profiles
    .command('show')
    .description('Shows a device profile.')
    .argument('<name>', 'the id of the profile')
    .addOption(libraryOption())
    .option('--json', 'print it as JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  dmabuf-lab profiles show bcm2711-unicam`)
    .action((id: string, flags: LibraryFlags) =>
      showing(flags, async (library) => {
        const { profileText, SOURCE_TREES } = await import('../library/index.js');
        const profile = library.profile(id) ?? (await unknown('profile', id, library.profileIds));
        return flags.json === true ? json({ ...profile, trees: SOURCE_TREES }) : profileText(profile);
      }),
    );
}

export function addBoardsCommand(program: Command): void {
  const boards = program
    .command('boards')
    .summary('list boards, or show one')
    .description('The memory, the heaps and the devices of real boards.')
    .addHelpText('after', '\nExamples:\n  dmabuf-lab boards list\n  dmabuf-lab boards show rpi4');
  boards
    .command('list')
    .description('Lists the boards.')
    .addOption(libraryOption())
    .option('--json', 'print the boards as JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  dmabuf-lab boards list`)
    .action((flags: LibraryFlags) =>
      showing(flags, async (library) => {
        const { table } = await import('../report/text-layout.js');
        const all = library.boardIds.flatMap((id) => library.board(id) ?? []);
        if (flags.json === true) return json(all);
        const rows = all.map(({ id, name, devices }) => [id, name, Object.keys(devices).join(', ')]);
        return `${table(rows, 'lll', '').join('\n')}\n`;
      }),
    );
  boards
    .command('show')
    .description('Shows a board.')
    .argument('<name>', 'the id of the board')
    .addOption(libraryOption())
    .option('--json', 'print it as JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  dmabuf-lab boards show rk3588`)
    .action((id: string, flags: LibraryFlags) =>
      showing(flags, async (library) => {
        const { boardText, SOURCE_TREES } = await import('../library/index.js');
        const board = library.board(id) ?? (await unknown('board', id, library.boardIds));
        return flags.json === true ? json({ ...board, trees: SOURCE_TREES }) : boardText(board);
      }),
    );
}

async function listProfiles(library: Library, { soc, kind, json: asJson }: ListFlags): Promise<string> {
  const { DEVICE_KINDS } = await import('../library/index.js');
  if (kind !== undefined && !DEVICE_KINDS.some((known) => known === kind)) {
    await unknown('kind', kind, DEVICE_KINDS);
  }
  const { table } = await import('../report/text-layout.js');
  const all = library.profileIds.flatMap((id) => library.profile(id) ?? []);
  const chosen = all.filter(
    (profile) =>
      (kind === undefined || profile.kind === kind) &&
      (soc === undefined || profile.soc.toLowerCase().includes(soc.toLowerCase())),
  );
  if (asJson === true) return json(chosen);
  if (chosen.length === 0)
    throw new InputError(`No profile is of ${soc ?? 'that chip'}${kind ? ` and a ${kind}` : ''}`);
  const rows = chosen.map((profile) => [profile.id, profile.kind, profile.name, profile.soc]);
  return `${table(rows, 'llll', '').join('\n')}\n`;
}

async function showing(flags: LibraryFlags, text: (library: Library) => Promise<string>): Promise<void> {
  try {
    const { Library } = await import('../library/index.js');
    process.stdout.write(await text(new Library(libraryDirectories(flags.library))));
    process.exitCode = EXIT.ok;
  } catch (error) {
    const { text: message, exitCode } = describeError(error, true);
    process.stderr.write(`${message}\n`);
    process.exitCode = exitCode;
  }
}

async function unknown(noun: string, name: string, known: readonly string[]): Promise<never> {
  const { suggestion } = await import('../scenario/issues.js');
  throw new InputError(`Cannot find the ${noun} "${name}"${suggestion(name, known)}`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
