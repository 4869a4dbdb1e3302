import { formatBytes, formatDuration, formatRanges } from '@dmabuf-lab/lab';
import test from 'ava';

test('formatDuration: three digits in the largest unit that leaves at least one', (t) => {
  const cases: [number, string][] = [
    [0, '0 ns'],
    [1, '1 ns'],
    [999, '999 ns'],
    [1000, '1 µs'],
    [1234, '1.23 µs'],
    [12_345_678, '12.3 ms'],
    [123_456_789, '123 ms'],
    [999_499_999, '999 ms'],
    [999_500_000, '1 s'],
    [3_600_000_000_000, '3600 s'],
  ];
  for (const [ns, text] of cases) t.is(formatDuration(ns), text);
});

test('formatBytes: bytes are whole, larger units are binary', (t) => {
  const cases: [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1 KiB'],
    [1536, '1.5 KiB'],
    [1_572_864, '1.5 MiB'],
    [2 ** 30, '1 GiB'],
  ];
  for (const [bytes, text] of cases) t.is(formatBytes(bytes), text);
});

test('formatRanges: single numbers and ranges, and no more of them than asked for', (t) => {
  t.is(formatRanges([]), '');
  t.is(
    formatRanges([
      [3, 3],
      [7, 9],
    ]),
    '3, 7–9',
  );
  t.is(
    formatRanges(
      [
        [1, 1],
        [3, 3],
        [5, 5],
      ],
      2,
    ),
    '1, 3, … 1 range more, the last 5',
  );
  t.is(
    formatRanges(
      [
        [1, 1],
        [3, 3],
        [5, 5],
      ],
      3,
    ),
    '1, 3, 5',
  );
});
