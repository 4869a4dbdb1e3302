/**
 * Fails on what review would otherwise have to look for: paths of one machine, tests that shut out the others, switched
 * off checks, links that lead nowhere, folders of core that the architecture does not mention.
 *
 * It reads the files that are committed or would be (`git ls-files`), so that what is ignored may look as it likes.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { displayPath, isMainModule, repositoryRoot, walkFiles } from './workspace.mjs';

/** Rules on single lines. The patterns are written so that they do not match themselves. */
const LINE_RULES = [
  {
    applies: () => true,
    pattern: /(?<![\w.~*)}\]/-])\/(?:work|farm|tmp|home|root|Users)\/[\w.-]*/,
    what: (match) => `names a path of one machine, '${match}'`,
    remedy: 'Use a path relative to the repository, or os.tmpdir()',
  },
  {
    applies: (file) => /\.[cm]?[jt]s$/.test(file),
    pattern: /\.only[(]/,
    what: () => 'runs one test only',
    remedy: 'Remove .only: npm test -- <part of a path> or --match selects tests for one run',
  },
  {
    applies: (file) => /\.[cm]?[jt]s$/.test(file),
    pattern: /eslint[-]disable|@ts[-](?:ignore|nocheck)/,
    what: (match) => `switches a check off with '${match}'`,
    remedy: 'Repair what the check found; a test of types may use @ts-expect-error, which fails when it is not needed',
  },
];

/**
 * @param {string} root of the repository
 * @returns {{ problems: string[], notes: string[] }}
 */
export function checkTidy(root) {
  const files = committedFiles(root);
  const texts = new Map();
  for (const file of files) {
    const content = readFileSync(join(root, file));
    if (!content.subarray(0, 8_192).includes(0)) texts.set(file, content.toString('utf8'));
  }
  const problems = [];
  for (const [file, text] of texts) {
    problems.push(...lineProblems(file, text));
    if (/\.[cm]?ts$/.test(file)) problems.push(...castProblems(file, text));
    if (file.endsWith('.md')) problems.push(...linkProblems(root, file, text, files));
  }
  return { problems: [...problems, ...architectureProblems(root)], notes: [] };
}

/**
 * Paths relative to the root of what is committed or would be. Where git cannot say (no repository, no git, a checkout
 * that belongs to another user), of everything but generated files.
 */
function committedFiles(root) {
  let listed;
  try {
    if (!existsSync(join(root, '.git'))) throw new Error('not a repository');
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const options = { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] };
    listed = execFileSync('git', args, options).split('\0');
  } catch {
    listed = walkFiles(root, () => true).map((path) => displayPath(root, path));
  }
  return [...new Set(listed)].filter((file) => file !== '' && existsSync(join(root, file))).sort();
}

function lineProblems(file, text) {
  const problems = [];
  const rules = LINE_RULES.filter((rule) => rule.applies(file) && rule.pattern.test(text));
  if (rules.length === 0) return problems;
  text.split('\n').forEach((line, index) => {
    for (const { pattern, what, remedy } of rules) {
      const match = pattern.exec(line);
      if (match !== null) problems.push(`${file}:${index + 1}: ${what(match[0])}. ${remedy}`);
    }
  });
  return problems;
}

/** Casts to `any`, found in the syntax tree because the two words also occur in prose. */
function castProblems(file, text) {
  if (!/\bas any\b/.test(text)) return [];
  const problems = [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const visit = (node) => {
    if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.type.getStart(source));
      problems.push(`${file}:${line + 1}: casts to any. Name the type, or narrow from unknown`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return problems;
}

/** Relative links of a Markdown file that lead to no committed file or directory. */
function linkProblems(root, file, text, files) {
  const problems = [];
  const known = new Set(files);
  for (const path of files) for (let up = dirname(path); up !== '.'; up = dirname(up)) known.add(up);
  let inCode = false;
  text.split('\n').forEach((line, index) => {
    if (/^\s*(```|~~~)/.test(line)) inCode = !inCode;
    if (inCode) return;
    const prose = line.replace(/`[^`]*`/g, '');
    const targets = [...prose.matchAll(/\]\(<?([^)>\s]+)>?[^)]*\)/g), ...prose.matchAll(/^\s*\[[^\]]+\]:\s+(\S+)/g)];
    for (const [, target] of targets) {
      if (/^([a-z][a-z+.-]*:|#)/i.test(target)) continue;
      const path = decodeURI(target.replace(/[#?].*$/, '')).replace(/\/$/, '');
      const resolved = path.startsWith('/') ? path : posix.normalize(posix.join(posix.dirname(file), path));
      if (resolved !== '.' && !known.has(resolved)) {
        const why = existsSync(join(root, resolved)) ? 'exists but is not part of the repository' : 'does not exist';
        problems.push(`${file}:${index + 1}: links to '${target}', which ${why}. Correct the path or remove the link`);
      }
    }
  });
  return problems;
}

/** Folders of core that ARCHITECTURE.md does not mention as `folder/` or `core/folder`. */
function architectureProblems(root) {
  const core = join(root, 'packages', 'core', 'src');
  if (!existsSync(core)) return [];
  const path = join(root, 'ARCHITECTURE.md');
  if (!existsSync(path)) return ['ARCHITECTURE.md: absent. Write it: bird’s eye, code map, one invariant a folder'];
  const text = readFileSync(path, 'utf8');
  return readdirSync(core, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .filter(({ name }) => !new RegExp(`(?<![\\w-])(core/${name}(?![\\w-])|${name}/)`).test(text))
    .map(({ name }) => {
      const remedy = `Add a line for core/${name}: what it does, and what it must not know`;
      return `ARCHITECTURE.md: does not mention packages/core/src/${name}. ${remedy}`;
    });
}

if (isMainModule(import.meta.url)) {
  const { problems } = checkTidy(repositoryRoot);
  for (const problem of problems) console.log(problem);
  console.log(problems.length === 0 ? 'tidy: in order' : `tidy: ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
