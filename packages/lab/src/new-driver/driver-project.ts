/** The files of a new driver's package, as text. Pure: what is read and written is the business of `new-driver.ts`. */

export const DRIVER_KINDS = ['filter', 'source', 'sink', 'exporter'] as const;
export type DriverKind = (typeof DRIVER_KINDS)[number];
export type DriverLanguage = 'ts' | 'js';

/** What a new driver is to be. */
export interface DriverProjectSpec {
  /** Of the package, the driver, and its device in the scenario. */
  readonly name: string;
  readonly kind: DriverKind;
  readonly language: DriverLanguage;
  /** How it depends on each package of dmabuf-lab: a version range, or the path of a tarball. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Versions of what else it needs, by package. */
  readonly versions: Readonly<Record<'zod' | 'typescript' | 'esbuild' | '@types/node', string>>;
}

/** Texts of the templates, by the name of the file. */
export type DriverTemplates = Readonly<Record<string, string>>;

/** What each kind is called in its own words, and what it counts in a result. */
const KINDS: Readonly<Record<DriverKind, { readonly title: string; readonly work: string }>> = {
  filter: { title: 'A filter', work: 'framesOut' },
  source: { title: 'A source', work: 'framesOut' },
  sink: { title: 'A sink', work: 'framesIn' },
  exporter: { title: 'An exporter', work: 'framesOut' },
};

/** The templates that a kind needs. */
export const templatesOf = (kind: DriverKind): readonly string[] => [
  `${kind}.ts`,
  'driver.test.ts',
  'scenario-head.yaml',
  `scenario-${kind}.yaml`,
  'README.md',
];

/** The files of a package, by their paths in it. */
export function driverProject(spec: DriverProjectSpec, templates: DriverTemplates): Record<string, string> {
  const { name, kind, language } = spec;
  const source = `src/${name}.${language}`;
  const isTyped = language === 'ts';
  const words: Readonly<Record<string, string>> = {
    DRIVER_NAME: name,
    DRIVER_TITLE: KINDS[kind].title,
    DRIVER_PATH: `./${source}`,
    DRIVER_SOURCE: source,
    DRIVER_WORK: KINDS[kind].work,
    // Tests run from dist/test when they are compiled, else from test/ beside what has been built.
    DRIVER_MODULE: isTyped ? `../src/${name}.js` : `../dist/${name}.js`,
    DRIVER_SCENARIO: isTyped ? '../../scenario.yaml' : '../scenario.yaml',
  };
  const text = (template: string): string =>
    templates[template].replaceAll(/DRIVER_[A-Z]+/g, (word) => words[word] ?? word);
  return {
    'package.json': `${JSON.stringify(manifestOf(spec), undefined, 2)}\n`,
    [source]: text(`${kind}.ts`),
    [`test/${name}.test.${language}`]: text('driver.test.ts'),
    'scenario.yaml': text('scenario-head.yaml') + text(`scenario-${kind}.yaml`),
    'README.md': text('README.md') + (isPacked(spec) ? PACKED_NOTE : ''),
    '.gitignore': 'node_modules/\ndist/\nout/\n',
    ...(isTyped && { 'tsconfig.json': `${JSON.stringify(TSCONFIG, undefined, 2)}\n` }),
  };
}

/** Whether it depends on tarballs, since it was made from a checkout. */
const isPacked = ({ dependencies }: DriverProjectSpec): boolean => dependencies['@dmabuf-lab/lab'].startsWith('file:');

const PACKED_NOTE = `
This package was made from a checkout of dmabuf-lab: it depends on the tarballs in \`vendor/\`, which nobody else has. Before you
publish it, put the version of dmabuf-lab on the registry, such as \`^0.1.0\`, in place of each \`file:vendor/…\` in
\`package.json\`.
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ES2024.SharedMemory', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    rootDir: '.',
    outDir: 'dist',
    declaration: true,
    sourceMap: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
  },
  include: ['src', 'test'],
};

/** Of a test file; one takes a few seconds. */
const TEST_LIMIT_MS = 60_000;

function manifestOf(spec: DriverProjectSpec): object {
  const { name, kind, language, dependencies, versions } = spec;
  const isTyped = language === 'ts';
  const built = isTyped ? `./dist/src/${name}.js` : `./dist/${name}.js`;
  const source = `src/${name}.${language}`;
  const lab = '@dmabuf-lab/lab';
  const needed = ['@dmabuf-lab/core', '@dmabuf-lab/drivers', ...(kind === 'exporter' ? ['@dmabuf-lab/heaps'] : [])];
  const ranges = (names: readonly string[]) => Object.fromEntries(names.map((key) => [key, dependencies[key]]));
  const rest = Object.keys(dependencies).filter((key) => !needed.includes(key) && key !== lab);
  return {
    name,
    version: '0.1.0',
    description: `${KINDS[kind].title} for dmabuf-lab`,
    type: 'module',
    exports: built,
    files: ['dist', 'src'],
    keywords: ['dmabuf-lab', 'driver'],
    engines: { node: '>=20.19' },
    scripts: {
      build: isTyped ? 'tsc' : `esbuild ${source} --target=node20 --sourcemap --outfile=${built}`,
      start: 'dmabuf-lab run scenario.yaml --out out',
      check: `dmabuf-lab check-driver ${source}`,
      pretest: 'npm run build',
      // A file by name: what Node makes of a folder differs between its versions.
      // An endless loop of the driver ends the test after a minute, and not never.
      test: `node --test --test-timeout=${TEST_LIMIT_MS} ${isTyped ? 'dist/test' : 'test'}/${name}.test.js`,
      prepack: 'npm run build',
    },
    dependencies: { ...ranges(needed), zod: versions.zod },
    devDependencies: {
      // A tarball stands for what no registry has: then each package has to be named, also those that only others need.
      ...ranges([lab, ...(isPacked(spec) ? rest : [])]),
      ...(isTyped
        ? { '@types/node': versions['@types/node'], typescript: versions.typescript }
        : { esbuild: versions.esbuild }),
    },
  };
}
