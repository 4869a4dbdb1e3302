import { FrameContents } from '@dmabuf-lab/uapi';
import test from 'ava';

const pagesOf = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(4096));
const CONTENT = { bufferNumber: 1, sequence: 7, capturedNs: 5, checksum: 3 };

test('FrameContents.moved, takes a picture and the number of its buffer along, and leaves nothing behind', (t) => {
  const contents = new FrameContents();
  const [from, to] = [pagesOf(3), pagesOf(3)];
  const number = contents.numberOf(from);
  contents.seal(from, CONTENT);
  contents.moved(from, to);
  t.deepEqual(contents.of(to), CONTENT);
  t.is(contents.numberOf(to), number);
  t.is(contents.of(from), undefined);
  t.not(contents.numberOf(from), number);
  contents.written(from[1]);
  t.deepEqual(contents.of(to), CONTENT, 'the old pages are nobody’s');
  contents.written(to[1]);
  t.is(contents.of(to)?.isTouched, true);
});

test('FrameContents.moved, of one of two buffers that a picture lies in', (t) => {
  const contents = new FrameContents();
  const [luma, chroma, newLuma, newChroma] = [pagesOf(2), pagesOf(1), pagesOf(2), pagesOf(1)];
  contents.seal([...luma, ...chroma], CONTENT);
  contents.moved(chroma, newChroma);
  t.deepEqual(contents.of(luma), CONTENT);
  contents.moved(luma, newLuma);
  contents.written(newChroma[0]);
  t.is(contents.of(newLuma)?.isTouched, true);
});

test('FrameContents.moved, of memory that no device has written', (t) => {
  const contents = new FrameContents();
  const [from, to] = [pagesOf(2), pagesOf(2)];
  contents.moved(from, to);
  t.is(contents.of(to), undefined);
});
