import { AtomicWords, actorId, wordIndex } from '@dmabuf-lab/core/base';
import { SOURCE_ROW_WORDS, SourceWords } from '@dmabuf-lab/core/driver';
import test from 'ava';

const [FRONT, BACK] = [actorId(2), actorId(5)];
const BOTH = [FRONT, BACK];

function sources(): SourceWords {
  const words = new AtomicWords(new SharedArrayBuffer(64));
  return new SourceWords(words, { base: wordIndex(0), rows: 8, rowWords: SOURCE_ROW_WORDS });
}

test('SourceWords, while one source has not been away or comes back by itself, time is left to it', (t) => {
  const words = sources();
  t.is(words.firstReturnNs(BOTH), undefined);
  words.leave(FRONT, 700_000_000, BOTH);
  t.is(words.firstReturnNs(BOTH), undefined);
  words.leave(BACK, 'by itself', BOTH);
  t.is(words.firstReturnNs(BOTH), undefined);
});

test('SourceWords, where all are away, the first return counts, in whole milliseconds rounded up', (t) => {
  const words = sources();
  words.leave(FRONT, 700_000_000, BOTH);
  words.leave(BACK, 500_000_001, BOTH);
  words.leave(BACK, 500_000_001, BOTH); // a second reclaimer
  t.is(words.firstReturnNs(BOTH), 501_000_000);
  t.is(words.leave(BACK, 'never', BOTH), 700_000_000);
  words.leave(BACK, 0, BOTH);
  t.is(words.firstReturnNs(BOTH), 0, 'an instant that is past lets nothing go on');
});

test('SourceWords, where none comes back, time goes on beyond every end', (t) => {
  const words = sources();
  for (const source of BOTH) words.leave(source, 'never', BOTH);
  t.is(words.firstReturnNs(BOTH), Number.MAX_SAFE_INTEGER);
});
