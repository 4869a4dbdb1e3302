/**
 * Fails on an import that runs against the direction of dependency, and on a tool used outside the place that owns it.
 *
 * The rules are the tables below: packages, the folders of core, the parts of core a driver may see, and the modules and
 * globals that belong to one place. Imports are read from the syntax tree: `import`, `export … from`, `import()`,
 * `require()`, types in `import('…')`, and `new URL('…', import.meta.url)`, by which workers are started. An import of a
 * type counts: whoever names a type knows the folder it comes from.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { displayPath, isMainModule, readJson, repositoryRoot, walkFiles } from './workspace.mjs';

const SCOPE = '@dmabuf-lab/';

/** Packages and the packages each may import. Only those that list both know heaps and drivers. */
const PACKAGES = {
  core: [],
  heaps: ['core'],
  drivers: ['core'],
  uapi: ['core', 'heaps', 'drivers'],
  lab: ['core', 'heaps', 'drivers', 'uapi'],
};

/** Folders of core and their rank: a folder imports itself and folders of a lower rank. */
const CORE_RANKS = {
  base: 0,
  memory: 1,
  constraints: 1,
  sync: 2,
  'dma-buf': 3,
  migration: 4,
  runtime: 5,
  driver: 6,
  testing: 7,
};

/** What a driver sees of core. */
const DRIVER_PORT = ['driver', 'base', 'constraints'];

/** Folders of the drivers package that hold drivers, which run on both runtimes. */
const DRIVER_FOLDERS = ['camera', 'gpu', 'display', 'encoder'];

/** Modules that only core's runtime may import. */
const RUNTIME_MODULES = ['worker_threads', 'comlink'];

/** What a driver may not use, because it would make the virtual runtime depend on the machine, and what to use. */
const FORBIDDEN_IN_DRIVERS = {
  Date: 'ctx.now()',
  performance: 'ctx.now()',
  setTimeout: 'yield* ctx.sleepUntil(…)',
  setInterval: 'yield* ctx.sleepUntil(…)',
  setImmediate: 'yield* ctx.sleepUntil(…)',
  Atomics: 'the calls of ctx',
};

/** Beside AtomicWords itself, who may touch the cells of control words plainly: it runs all actors in one thread. */
const PLAIN_WORDS = 'core/src/runtime/virtual/virtual-words.ts';

/** Longer files are noted: what is the second concept in it? */
const COMFORTABLE_LINES = 400;

/**
 * @param {string} root of the repository, or of a tree with the same layout
 * @returns {{ problems: string[], notes: string[] }}
 */
export function checkLayers(root) {
  const problems = [];
  const notes = [];
  for (const name of packageNames(root)) {
    if (!(name in PACKAGES)) {
      problems.push(
        `packages/${name}: Cannot check the package: it has no rule. Add it to PACKAGES in check-layers.mjs`,
      );
      continue;
    }
    const src = join(root, 'packages', name, 'src');
    for (const path of walkFiles(src, (file) => /\.[cm]?tsx?$/.test(file))) {
      const file = describeFile(root, name, src, path);
      const source = ts.createSourceFile(path, file.text, ts.ScriptTarget.Latest, true);
      const report = (node, edge, remedy) => {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
        problems.push(`${file.name}:${line + 1}: ${edge}. ${remedy}`);
      };
      if (name === 'core' && !(file.folder in CORE_RANKS)) {
        const folders = Object.keys(CORE_RANKS).join(', ');
        report(source, `core has no folder '${file.folder}'`, `Move the file into one of ${folders}`);
      }
      for (const { node, specifier } of importsOf(source)) checkImport(root, file, specifier, node, report);
      checkGlobals(file, source, report);
      const lines = file.text.split('\n').length - 1;
      if (lines > COMFORTABLE_LINES) notes.push(`${file.name} has ${lines} lines: is there a second concept in it?`);
    }
  }
  return { problems, notes };
}

const packageNames = (root) =>
  readdirSync(join(root, 'packages')).filter((name) => existsSync(join(root, 'packages', name, 'src')));

/** What the rules ask about a file; `folder` is the first folder below `src`, or '' for a file directly in it. */
function describeFile(root, packageName, src, path) {
  const inPackage = displayPath(src, path);
  const folder = inPackage.includes('/') ? inPackage.split('/')[0] : '';
  return { packageName, src, path, inPackage, folder, name: displayPath(root, path), text: readFileSync(path, 'utf8') };
}

/** Every module specifier of a source with the node it stands in. */
export function importsOf(source) {
  const found = [];
  const take = (node, literal) => {
    if (literal !== undefined && ts.isStringLiteralLike(literal)) found.push({ node, specifier: literal.text });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node, node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) take(node, node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) take(node, node.argument.literal);
    else if (ts.isCallExpression(node)) {
      const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
      const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
      if (isImport || isRequire) take(node, node.arguments[0]);
    } else if (ts.isNewExpression(node) && node.expression.getText(source) === 'URL') {
      if (node.arguments?.[1]?.getText(source) === 'import.meta.url') take(node, node.arguments[0]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function checkImport(root, file, specifier, node, report) {
  const edge = (target) => `${file.name} imports ${target}`;
  if (specifier.startsWith('.')) checkRelative(file, specifier, node, report, edge);
  else if (specifier.startsWith(SCOPE)) checkPackage(root, file, specifier, node, report, edge);
  else {
    const module = specifier.replace(/^node:/, '');
    const isRuntimeModule = RUNTIME_MODULES.some((name) => module === name || module.startsWith(`${name}/`));
    if (isRuntimeModule && !(file.packageName === 'core' && file.folder === 'runtime')) {
      report(node, edge(`'${specifier}'`), 'Only packages/core/src/runtime may: go through its Transport or Spawner');
    }
  }
}

function checkRelative(file, specifier, node, report, edge) {
  const target = resolve(dirname(file.path), specifier);
  const inPackage = displayPath(file.src, target);
  if (inPackage.startsWith('..')) {
    // A worker's entry point or a resource beside the sources may be named by URL; a module may not be imported.
    if (ts.isNewExpression(node) && displayPath(join(file.src, '..'), target).startsWith('..') === false) return;
    const remedy = `Import another package by its name, '${SCOPE}<package>/<folder>'`;
    report(node, edge(`'${specifier}', which lies outside its package's src`), remedy);
    return;
  }
  if (file.packageName !== 'core' || !(file.folder in CORE_RANKS)) return;
  const folder = inPackage.split('/')[0];
  if (folder === file.folder) return;
  const from = CORE_RANKS[file.folder];
  const to = CORE_RANKS[folder];
  if (to !== undefined && to < from) return;
  const why = to === undefined ? 'which is no folder of core' : `rank ${from} imports rank ${to}`;
  const remedy =
    to === from
      ? 'The two are independent of each other: move what both need into a folder below'
      : `Move what is needed down, or let ${file.folder}/ declare a port that ${folder}/ implements`;
  report(node, `core/${file.folder} → core/${folder} runs up ('${specifier}', ${why})`, remedy);
}

function checkPackage(root, file, specifier, node, report, edge) {
  const [name, ...rest] = specifier.slice(SCOPE.length).split('/');
  const subpath = rest.length === 0 ? '.' : `./${rest.join('/')}`;
  if (name === file.packageName) {
    report(node, edge(`its own package by name ('${specifier}')`), 'Import the file by a relative path');
    return;
  }
  if (!PACKAGES[file.packageName].includes(name)) {
    const allowed = PACKAGES[file.packageName].map((each) => SCOPE + each).join(', ') || 'no package of the workspace';
    const remedy = `${file.packageName} may import ${allowed}: hand it in through a port`;
    report(node, `${file.packageName} → ${name} ('${specifier}') is not an edge of the design`, remedy);
    return;
  }
  const manifest = join(root, 'packages', name, 'package.json');
  const entries = existsSync(manifest) ? Object.keys(readJson(manifest).exports ?? {}) : [];
  if (!entries.includes(subpath)) {
    const remedy = `Import one of ${entries.map((entry) => SCOPE + name + entry.slice(1)).join(', ')}`;
    report(node, edge(`'${specifier}', which '${SCOPE}${name}' does not export`), remedy);
    return;
  }
  if (file.packageName === 'drivers' && name === 'core' && !DRIVER_PORT.includes(rest[0])) {
    const remedy = `A driver sees ${DRIVER_PORT.map((part) => `${SCOPE}core/${part}`).join(', ')} only`;
    report(node, `drivers → core/${rest[0]} ('${specifier}') passes by the driver port`, remedy);
  }
}

/** Uses of `Atomics` outside the files that own shared words, and of the machine's clock and chance in drivers. */
function checkGlobals(file, source, report) {
  const isDriver = file.packageName === 'drivers' && DRIVER_FOLDERS.includes(file.folder);
  const ownsWords =
    /(^|\/)([a-z0-9-]+-)?words\.ts$/.test(file.inPackage) ||
    (file.packageName === 'core' && file.inPackage.startsWith('runtime/threads/'));
  const visit = (node) => {
    if (ts.isIdentifier(node) && !isOtherName(node)) {
      if (isDriver && node.text in FORBIDDEN_IN_DRIVERS) {
        report(node, `a driver uses ${node.text}`, `Use ${FORBIDDEN_IN_DRIVERS[node.text]}`);
      } else if (node.text === 'Atomics' && !ownsWords) {
        report(node, `${file.name} uses Atomics`, 'Go through AtomicWords, or move the access into a *-words.ts file');
      }
    }
    checkPlainAccess(file, node, source, report);
    if (isDriver && ts.isPropertyAccessExpression(node) && node.getText(source) === 'Math.random') {
      report(node, 'a driver uses Math.random', 'Use ctx.random(name), a stream of its own');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** Ways to control words past AtomicWords: a subclass, its cells by name, a view over its memory. */
function checkPlainAccess(file, node, source, report) {
  if (`${file.packageName}/src/${file.inPackage}` === PLAIN_WORDS) return;
  const remedy = 'Go through AtomicWords: plain access races, and the explorer does not see it';
  if (ts.isHeritageClause(node) && node.types.some(({ expression }) => expression.getText(source) === 'AtomicWords')) {
    report(node, `${file.name} extends AtomicWords`, remedy);
  } else if (ts.isElementAccessExpression(node) && /^['"`]cells['"`]$/.test(node.argumentExpression.getText(source))) {
    report(node, `${file.name} reaches for the cells of control words`, remedy);
  } else if (
    ts.isNewExpression(node) &&
    /^(?:\w+\d+(?:Clamped)?Array|DataView)$/.test(node.expression.getText(source))
  ) {
    const over = node.arguments?.[0]?.getText(source) ?? '';
    if (/(?:^|\.)control$|words\.buffer$/i.test(over))
      report(node, `${file.name} makes a view over control words`, remedy);
  }
}

/** True for an identifier that only happens to have that name: a property, a parameter's label, a member. */
function isOtherName(identifier) {
  const { parent } = identifier;
  if (ts.isPropertyAccessExpression(parent) && parent.name === identifier) {
    return parent.expression.getText() !== 'globalThis';
  }
  if (ts.isQualifiedName(parent)) return parent.right === identifier;
  const isMember = ts.isPropertyAssignment(parent) || ts.isClassElement(parent) || ts.isTypeElement(parent);
  return isMember && parent.name === identifier;
}

if (isMainModule(import.meta.url)) {
  const { problems, notes } = checkLayers(repositoryRoot);
  for (const note of notes) console.log(`note: ${note}`);
  for (const problem of problems) console.log(problem);
  console.log(problems.length === 0 ? 'layers: in order' : `layers: ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
