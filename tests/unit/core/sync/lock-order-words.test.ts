import { AtomicWords, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import { LOCK_ORDER_ROW_WORDS, type LockOrderRecord, LockOrderWords } from '@dmabuf-lab/core/sync';
import test from 'ava';

/** Room for orders, one of them per row, and the words themselves. */
function open(orders: number) {
  const layout = new WordLayout();
  const table = layout.table(orders + 1, LOCK_ORDER_ROW_WORDS);
  const words = new AtomicWords(new SharedArrayBuffer(layout.sizeBytes));
  return { table, words, orders: new LockOrderWords(words, table) };
}

const order = (lane: number, atNs: number): LockOrderRecord => {
  return { lane, life: 2, from: { slot: 3, life: 1 }, to: { slot: 0, life: 7 }, atNs };
};

test('LockOrderWords, orders of several, are read as they were written, times beyond 2^32 too', (t) => {
  const { orders } = open(4);
  t.deepEqual(orders.read(), []);
  const written = [order(0, 0), order(9, 5_000_000_000), order(1, 2 ** 40 + 2 ** 31)];
  for (const one of written) orders.record(one);
  t.deepEqual(orders.read(), written);
  t.is(orders.lost, 0);
});

test('LockOrderWords, more orders than there is room for, keep the first and count the others', (t) => {
  const { orders } = open(2);
  for (let i = 0; i < 5; i += 1) orders.record(order(i, i));
  t.deepEqual(
    orders.read().map(({ lane }) => lane),
    [0, 1],
  );
  t.is(orders.lost, 3);
});

test('LockOrderWords, an order whose writer died before its last word, is passed over', (t) => {
  const { orders, words, table } = open(3);
  for (let i = 0; i < 3; i += 1) orders.record(order(i, i));
  words.store(wordAt(table, 2, 0), 0);
  t.deepEqual(
    orders.read().map(({ lane }) => lane),
    [0, 2],
  );
});
