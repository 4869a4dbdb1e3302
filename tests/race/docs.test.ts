/** docs/explorer.md has every protocol, each with the bounds that are searched. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { PROTOCOLS } from './boards/protocols.js';
import { boundOf } from './boards/search.js';

const DOCS = readFileSync(fileURLToPath(new URL('../../../docs/explorer.md', import.meta.url)), 'utf8');

/** The cells of the rows of the one table of a section, without its head. */
function rowsOf(section: string): string[][] {
  const [, text] = DOCS.split(`\n## ${section}\n`);
  const lines = text.split('\n## ')[0].split('\n');
  return lines
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

const NAMES = PROTOCOLS.map(({ name }) => name);

test('docs/explorer.md lists every protocol once among what is explored', (t) => {
  const listed = rowsOf('What is explored').flatMap(([names]) => names.split('; '));
  t.deepEqual(listed.toSorted(), NAMES.toSorted());
});

test('docs/explorer.md has a row for each protocol among the bounds, in the order in which they are printed', (t) => {
  t.deepEqual(
    rowsOf('Bounds').map(([name]) => name),
    NAMES,
  );
});

test('docs/explorer.md has for each protocol the bound of each search, complete where it has to be, and all mutants', (t) => {
  for (const [name, bounds, , mutants] of rowsOf('Bounds')) {
    const protocol = PROTOCOLS.find((one) => one.name === name);
    if (protocol === undefined) {
      t.fail(name);
      continue;
    }
    const tried = bounds.split('; ');
    t.is(tried.length, protocol.searches.length, name);
    for (const [i, search] of protocol.searches.entries()) {
      const bound = tried[i].replace(/^the first [\d,]+ of |: [\d,]+( \(complete\))?$/, '');
      t.is(bound, boundOf(search), name);
      const mustFinish = search.by === 'depth first' && search.complete !== undefined;
      if (mustFinish) t.true(tried[i].endsWith(' (complete)'), `${name}: ${tried[i]}`);
    }
    t.is(mutants, `${protocol.mutants.length} of ${protocol.mutants.length}`, name);
  }
});
