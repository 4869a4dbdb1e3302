import { AtomicWords, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import { RowGuards } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';

/** Two tables of three rows of 16 words. */
function open() {
  const layout = new WordLayout();
  const tables = [layout.table(3, 16), layout.table(3, 16)];
  const words = new AtomicWords(new SharedArrayBuffer(layout.sizeBytes));
  const guards = tables.map((table) => new RowGuards(words, table));
  for (const one of guards) one.open();
  return { words, tables, guards };
}

test('RowGuards, opened, are whole, and a write before the guards leaves them so', (t) => {
  const { words, tables, guards } = open();
  for (let column = 0; column < 14; column += 1) words.store(wordAt(tables[0], 1, column), 77);
  for (let row = 0; row < 3; row += 1)
    t.deepEqual([guards[0].isDamaged(row), guards[0].damage(row)], [false, undefined]);
});

test('RowGuards, one of the two overwritten, is found in that row alone and named', (t) => {
  for (const column of [14, 15]) {
    const { words, tables, guards } = open();
    words.store(wordAt(tables[0], 1, column), 0x7777);
    t.deepEqual(
      [0, 1, 2].map((row) => guards[0].isDamaged(row)),
      [false, true, false],
    );
    t.regex(guards[0].damage(1) ?? '', new RegExp(`^its guard word ${column} holds 0x00007777 and not 0x[0-9a-f]{8}$`));
    t.false(guards[1].isDamaged(1));
  }
});

test('RowGuards, a row of zeros, or one copied over another or from another table, is found', (t) => {
  for (const value of [
    (_: AtomicWords): number => 0,
    (words: AtomicWords, column: number, { tables }: ReturnType<typeof open>): number =>
      words.load(wordAt(tables[0], 2, column)),
    (words: AtomicWords, column: number, { tables }: ReturnType<typeof open>): number =>
      words.load(wordAt(tables[1], 1, column)),
  ]) {
    const opened = open();
    const { words, tables, guards } = opened;
    for (const column of [14, 15]) words.store(wordAt(tables[0], 1, column), value(words, column, opened));
    t.true(guards[0].isDamaged(1));
  }
});

test('RowGuards, of rows that nobody has opened, are damaged', (t) => {
  const layout = new WordLayout();
  const table = layout.table(1, 16);
  t.true(new RowGuards(new AtomicWords(new SharedArrayBuffer(layout.sizeBytes)), table).isDamaged(0));
});
