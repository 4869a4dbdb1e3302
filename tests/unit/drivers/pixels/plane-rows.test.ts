import { nv12ImageOf, nv12Layout, rowsOf } from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import fc from 'fast-check';

/** The bytes cut at the given page counts, each piece in a memory of its own. */
function scatter(bytes: Uint8Array, runBytes: readonly number[]): Uint8Array[] {
  const segments: Uint8Array[] = [];
  let at = 0;
  for (const length of [...runBytes, bytes.length]) {
    if (at >= bytes.length) break;
    const piece = bytes.subarray(at, at + length);
    const segment = new Uint8Array(new SharedArrayBuffer(piece.length + 8), 8);
    segment.set(piece);
    segments.push(segment);
    at += piece.length;
  }
  return segments;
}

function gather(segments: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(segments));
}

const cases = fc.record({
  widthBytes: fc.integer({ min: 1, max: 40 }),
  paddingBytes: fc.integer({ min: 0, max: 9 }),
  heightRows: fc.integer({ min: 1, max: 12 }),
  offsetBytes: fc.integer({ min: 0, max: 50 }),
  runs: fc.array(fc.integer({ min: 1, max: 64 }), { maxLength: 12 }),
});

test('rowsOf, rows of scattered segments read and write as rows of one segment, whatever the cuts', (t) => {
  fc.assert(
    fc.property(cases, ({ widthBytes, paddingBytes, heightRows, offsetBytes, runs }) => {
      const layout = { offsetBytes, widthBytes, strideBytes: widthBytes + paddingBytes, heightRows };
      const whole = Uint8Array.from({ length: offsetBytes + heightRows * layout.strideBytes }, (_, i) => i * 7);
      const segments = scatter(whole, runs);
      const scattered = rowsOf(segments, layout);
      const direct = rowsOf([whole], layout);
      for (let y = 0; y < heightRows; y++) {
        t.deepEqual([...scattered.row(y)], [...direct.row(y)]);
        for (const plane of [scattered, direct]) {
          const row = plane.beginRow(y, y % 2 === 0 ? 'edit' : 'fill');
          for (let x = 0; x < widthBytes; x++) row[x] = y % 2 === 0 ? row[x] ^ 0xff : x + y;
          plane.endRow(y);
          plane.writeRow(y, Uint8Array.of(200 + y), widthBytes >> 1);
        }
      }
      t.deepEqual(gather(segments), whole);
    }),
    { numRuns: 200 },
  );
});

test('PlaneRows.row, is a view of the memory itself, when the row lies in one segment', (t) => {
  const segments = [new Uint8Array(4096), new Uint8Array(4096)];
  const rows = rowsOf(segments, { offsetBytes: 0, widthBytes: 1000, strideBytes: 1000, heightRows: 8 });
  t.is(rows.row(3).buffer, segments[0].buffer);
  t.not(rows.row(4).buffer, segments[0].buffer, 'row 4 straddles');
  t.is(rows.row(5).buffer, segments[1].buffer);
});

test('PlaneRows.row, may be used between beginRow and endRow, of straddling rows', (t) => {
  const segments = [new Uint8Array(6).fill(1), new Uint8Array(4).fill(2), new Uint8Array(6).fill(3)];
  const rows = rowsOf(segments, { offsetBytes: 0, widthBytes: 8, strideBytes: 8, heightRows: 2 });
  const open = rows.beginRow(0, 'edit');
  t.deepEqual([...rows.row(1)], [2, 2, 3, 3, 3, 3, 3, 3]);
  open.fill(9);
  rows.endRow(0);
  t.deepEqual([...gather(segments)], [9, 9, 9, 9, 9, 9, 9, 9, 2, 2, 3, 3, 3, 3, 3, 3]);
});

test('rowsOf, refuses, a plane that ends one byte past its buffer', (t) => {
  const layout = { offsetBytes: 16, widthBytes: 10, strideBytes: 20, heightRows: 3 };
  t.notThrows(() => rowsOf([new Uint8Array(66)], layout));
  t.throws(() => rowsOf([new Uint8Array(65)], layout), {
    instanceOf: RangeError,
    message: /byte 66, got a buffer of 65/,
  });
  t.throws(() => rowsOf([new Uint8Array(40), new Uint8Array(25)], layout), { instanceOf: RangeError });
});

test('rowsOf, refuses, a stride less than the width and figures that are not whole', (t) => {
  const bytes = [new Uint8Array(100)];
  const layout = { offsetBytes: 0, widthBytes: 10, strideBytes: 10, heightRows: 3 };
  t.throws(() => rowsOf(bytes, { ...layout, strideBytes: 9 }), { message: /stride 9 is less/ });
  t.throws(() => rowsOf(bytes, { ...layout, offsetBytes: -1 }), { message: /offsetBytes/ });
  t.throws(() => rowsOf(bytes, { ...layout, heightRows: 1.5 }), { message: /heightRows/ });
});

test('PlaneRows, refuses, a row outside the plane and bytes past the row', (t) => {
  for (const segments of [[new Uint8Array(40)], [new Uint8Array(20), new Uint8Array(20)]]) {
    const rows = rowsOf(segments, { offsetBytes: 0, widthBytes: 10, strideBytes: 10, heightRows: 3 });
    t.throws(() => rows.row(3), { instanceOf: RangeError });
    t.throws(() => rows.row(-1), { instanceOf: RangeError });
    t.throws(() => rows.writeRow(0, new Uint8Array(6), 5), { instanceOf: RangeError });
    t.notThrows(() => rows.writeRow(0, new Uint8Array(5), 5));
  }
});

test('nv12Layout, gives planes and size, with stride and padded height', (t) => {
  const layout = nv12Layout(1920, 1080, 2048, 1088);
  t.deepEqual(layout.luma, { offsetBytes: 0, widthBytes: 1920, strideBytes: 2048, heightRows: 1080 });
  t.deepEqual(layout.chroma, { offsetBytes: 2228224, widthBytes: 1920, strideBytes: 2048, heightRows: 540 });
  t.is(layout.sizeBytes, 3342336);
  t.is(nv12Layout(1920, 1080).sizeBytes, 3110400);
  t.notThrows(() => nv12ImageOf([new Uint8Array(3342336)], layout));
});

test('nv12Layout, refuses, odd sizes, short strides and short heights', (t) => {
  t.throws(() => nv12Layout(641, 480), { instanceOf: RangeError, message: /even, got 641x480/ });
  t.throws(() => nv12Layout(640, 479), { instanceOf: RangeError });
  t.throws(() => nv12Layout(640, 480, 639), { message: /stride must be at least 640 bytes, got 639/ });
  t.throws(() => nv12Layout(640, 480, 640, 478), { instanceOf: RangeError });
  t.throws(() => nv12Layout(0, 480), { instanceOf: RangeError });
});
