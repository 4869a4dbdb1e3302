/**
 * Makes one module of a driver and the files that it imports by path, by esbuild: types are taken out, packages stay outside.
 *
 * What stays outside is named by its whole URL, since the bundle lies in another folder than the driver: packages as Node
 * finds them from the file that imports them, the laboratory's own as they run here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BuildOptions, Loader, Message, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';
import { type Bundled, consultedState, type FileState, fileState, hashOf } from './bundle-cache.js';
import { DriverLoadError, type DriverProblem } from './driver-error.js';
import { missingEntry } from './package-entry.js';
import { lentModule, runningModule } from './running-copy.js';

/** Grows when bundles are made in another way: those of earlier versions are not used then. */
export const BUNDLE_FORMAT = 2;

/** Without `module` and `browser`, which Node does not know. Source: "Conditional exports", Node.js packages docs. */
const RESOLUTION = { platform: 'node', conditions: [], mainFields: ['main'] } satisfies BuildOptions;

const SCRIPTS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
};

/** In the bundle: its own URL, with what its instance is for; and that of the file that a line came from. */
const BUNDLE_URL = '__dmabufLabBundleUrl';
const FILE_URL = '__dmabufLabFileUrl';
const INSTANCE = 'dmabuf-lab:instance';

/** Marks what the plugin itself asks esbuild to resolve. */
const ASKED = Symbol('asked');

/**
 * @param target an absolute path or the name of a package
 * @param specifier as the user gave it, for messages
 * @param folder absolute path that the specifier is resolved from
 * @param outFolder where the bundle will lie, for the paths in its source map
 * @throws DriverLoadError with the place of each mistake
 */
export async function bundleModule(
  target: string,
  specifier: string,
  folder: string,
  outFolder: string,
): Promise<Bundled> {
  const { build } = await import('esbuild');
  const seen = new SeenModules();
  try {
    const result = await build({
      ...RESOLUTION,
      entryPoints: [target],
      absWorkingDir: folder,
      outfile: join(outFolder, 'driver.mjs'),
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      legalComments: 'none',
      logLevel: 'silent',
      tsconfigRaw: {}, // the same bundle in every project
      banner: { js: `const ${BUNDLE_URL} = import.meta.url;` },
      inject: [INSTANCE],
      define: {
        'import.meta.url': FILE_URL,
        'import.meta.filename': `${FILE_URL}name`,
        'import.meta.dirname': `${FILE_URL}dir`,
      },
      plugins: [instancePlugin, importsPlugin(folder, seen)],
    });
    const [output] = Object.values(result.metafile.outputs);
    const entry = resolve(folder, output.entryPoint ?? target);
    const inputs = Object.keys(result.metafile.inputs).filter((path) => !path.startsWith(INSTANCE));
    const sources = inputs.map((path): FileState => seen.stateOf(resolve(folder, path)));
    sources.sort(([a], [b]) => Number(b === entry) - Number(a === entry));
    const consulted = [...seen.consulted].sort().map(consultedState);
    const code = seen.usesRequire ? withRequire(result.outputFiles[0].text, entry) : result.outputFiles[0].text;
    return { code, entry, sources, consulted, exports: output.exports };
  } catch (error) {
    const { errors } = error as { readonly errors?: readonly Message[] };
    if (errors === undefined) throw error;
    throw new DriverLoadError(
      specifier,
      errors.map((message) => problemOf(message, folder)),
    );
  }
}

/** What the plugin learns on the way. */
class SeenModules {
  /** Hashes of what was read: the file may change meanwhile. */
  readonly #read = new Map<string, string>();
  readonly consulted = new Set<string>();
  /** Whether something outside is asked for by `require`. */
  usesRequire = false;

  read(path: string): string {
    const content = readFileSync(path);
    this.#read.set(path, hashOf(content));
    return content.toString('utf8');
  }

  stateOf(path: string): FileState {
    const hash = this.#read.get(path);
    return hash === undefined ? fileState(path) : [path, hash];
  }

  /**
   * Remembers each place where Node looks for a package, up to the root: another may come to lie in a nearer one, or a link may lead
   * elsewhere. Source: "Loading from node_modules folders", Node.js modules docs.
   */
  searchFor(specifier: string, fromFolder: string): void {
    const name = packageOf(specifier);
    if (name === undefined) return;
    for (let folder = fromFolder; ; folder = dirname(folder)) {
      const manifest = join(folder, 'node_modules', name, 'package.json');
      this.consulted.add(manifest);
      if (existsSync(manifest) || dirname(folder) === folder) return;
    }
  }

  /** Remembers the package that a file belongs to: with another version imports may lead elsewhere. */
  consult(path: string): void {
    for (let folder = dirname(path); dirname(folder) !== folder; folder = dirname(folder)) {
      const manifest = join(folder, 'package.json');
      if (fileState(manifest)[1] === null) continue;
      this.consulted.add(manifest);
      return;
    }
  }
}

/** @returns the name of the package in `package/file`; undefined of what is no package */
function packageOf(specifier: string): string | undefined {
  return /^(@[^/]+\/)?[^./#@][^/]*/.exec(specifier)?.[0];
}

/** The globals that each instance has of its own. */
const instancePlugin: Plugin = {
  name: 'instance',
  setup(build) {
    build.onResolve({ filter: /^dmabuf-lab:instance$/ }, () => ({ path: 'globals', namespace: INSTANCE }));
    build.onLoad({ filter: /.*/, namespace: INSTANCE }, () => ({ contents: INSTANCE_SOURCE, loader: 'js' }));
  },
};

const INSTANCE_SOURCE = `import { instanceConsole, instanceExit } from ${JSON.stringify(
  new URL('./instance-module.js', import.meta.url).href,
)};
const console = /* @__PURE__ */ instanceConsole(${BUNDLE_URL});
const exit = /* @__PURE__ */ instanceExit(${BUNDLE_URL});
export { console, exit as 'process.exit' };`;

function importsPlugin(folder: string, seen: SeenModules): Plugin {
  return {
    name: 'imports',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async (args) => {
        if (args.pluginData === ASKED) return undefined;
        if (args.namespace === INSTANCE) return { path: args.path, external: true };
        if (args.kind === 'entry-point') return await resolveEntry(build, args.path, folder, seen);
        return await resolveImport(build, args, seen);
      });
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, ({ path }) => ({
        contents: withFileUrl(seen.read(path), path),
        loader: SCRIPTS[extname(path)],
      }));
    },
  };
}

async function resolveEntry(
  build: PluginBuild,
  specifier: string,
  folder: string,
  seen: SeenModules,
): Promise<OnResolveResult> {
  if (isAbsolute(specifier)) return { path: specifier };
  seen.searchFor(specifier, folder);
  const { errors, path } = await build.resolve(specifier, {
    kind: 'import-statement',
    resolveDir: folder,
    pluginData: ASKED,
  });
  if (errors.length > 0) {
    const missing = missingEntry(specifier, folder);
    return { errors: missing === undefined ? errors.map(({ text, notes }) => ({ text, notes })) : [{ text: missing }] };
  }
  seen.consult(path);
  return { path };
}

async function resolveImport(
  build: PluginBuild,
  args: OnResolveArgs,
  seen: SeenModules,
): Promise<OnResolveResult | undefined> {
  const { path: specifier, kind, importer, resolveDir } = args;
  if (isBuiltin(specifier)) return outside(specifier, kind, seen);
  if (/^(\.|\/|#|[a-z]+:)/i.test(specifier) && !specifier.startsWith('file:')) return undefined;
  if (specifier.startsWith('file:')) return { path: fileURLToPath(specifier) };
  const running = runningModule(specifier);
  if (running !== undefined) {
    if ('problem' in running) return { errors: [{ text: running.problem }] };
    seen.consult(fileURLToPath(running.url));
    return outside(running.url, kind, seen);
  }
  seen.searchFor(specifier, resolveDir);
  const found = await build.resolve(specifier, { kind, importer, resolveDir, pluginData: ASKED });
  if (found.errors.length === 0) {
    seen.consult(found.path);
    // What Node cannot import as it is, becomes a part of the bundle.
    const isScript = /\.[cm]?js$|^[^.]+$|\.node$/.test(found.path.slice(found.path.lastIndexOf('/') + 1));
    return isScript ? outside(pathToFileURL(found.path).href, kind, seen) : { path: found.path };
  }
  const lent = lentModule(specifier);
  if (lent !== undefined) return outside(lent, kind, seen);
  if (kind === 'dynamic-import' || kind === 'require-resolve') return outside(specifier, kind, seen); // it may be optional
  const text = `there is no package "${specifier}" that can be imported from here; is it installed?`;
  return { errors: [{ text, notes: found.errors.flatMap(({ notes }) => notes) }] };
}

function outside(url: string, kind: OnResolveArgs['kind'], seen: SeenModules): OnResolveResult {
  const isRequired = kind === 'require-call' || kind === 'require-resolve';
  if (isRequired) seen.usesRequire = true;
  return { path: isRequired && url.startsWith('file:') ? fileURLToPath(url) : url, external: true };
}

/** Gives a file that asks where it lies its own place, and not that of the bundle. On its first line: lines stay as they are. */
function withFileUrl(source: string, path: string): string {
  if (!source.includes('import.meta')) return source;
  const url = JSON.stringify(pathToFileURL(path).href);
  const names = `${FILE_URL}name = ${JSON.stringify(path)}, ${FILE_URL}dir = ${JSON.stringify(dirname(path))}`;
  const shebang = /^#!.*/.exec(source)?.[0] ?? '';
  return `const ${FILE_URL} = ${url}, ${names}; ${source.slice(shebang.length)}`;
}

/** What CommonJS asks for by `require` is found from the driver. */
function withRequire(code: string, entry: string): string {
  const url = JSON.stringify(pathToFileURL(entry).href);
  return `import { createRequire as __dmabufLabRequire } from 'node:module'; const require = __dmabufLabRequire(${url}); ${code}`;
}

function problemOf({ text, location }: Message, folder: string): DriverProblem {
  if (location === null || location.file === '') return { message: text };
  const { file, line, column } = location;
  return { message: text, file: resolve(folder, file), line, column: column + 1 };
}
