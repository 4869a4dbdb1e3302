import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RULES } from '@dmabuf-lab/core/testing';
import test from 'ava';

const DOCS = fileURLToPath(new URL('../../../../docs/check-driver.md', import.meta.url));

test('docs/check-driver.md lists every rule as the suite tells it', (t) => {
  const rows = readFileSync(DOCS, 'utf8')
    .split('\n')
    .filter((line) => /^\| `[a-z][a-z-]*` \|/.test(line));
  t.deepEqual(
    rows,
    Object.entries(RULES).map(([name, { checks, remedy }]) => `| \`${name}\` | ${checks} | ${remedy} |`),
  );
});
