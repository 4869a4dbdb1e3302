import { parseAddress, parseDuration, parseSize } from '@dmabuf-lab/lab';
import test from 'ava';

test('parseSize: whole bytes, and numbers with a binary unit', (t) => {
  const sizes: [string | number, number][] = [
    [0, 0],
    [4096, 4096],
    ['512B', 512],
    ['4KiB', 4096],
    ['64MiB', 67_108_864],
    ['64 MiB', 67_108_864],
    ['1GiB', 1_073_741_824],
    ['0.5GiB', 536_870_912],
    ['2TiB', 2_199_023_255_552],
  ];
  for (const [text, bytes] of sizes) t.is(parseSize(text), bytes, String(text));
});

test('parseSize: anything else is none', (t) => {
  const others = [
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    '',
    '4096',
    '64MB',
    '64mib',
    '-1KiB',
    '0.3B',
    '1e3KiB',
    'KiB',
    '99999999TiB',
  ];
  for (const text of others) t.is(parseSize(text), undefined, String(text));
});

test('parseAddress: whole numbers, decimal or hexadecimal, with underscores between digits', (t) => {
  const addresses: [string | number, number][] = [
    [0, 0],
    [0x4000_0000, 1_073_741_824],
    ['0x40000000', 1_073_741_824],
    ['0x4000_0000', 1_073_741_824],
    ['0xFFFF_FFFF', 4_294_967_295],
    ['0x1f_ffff_ffff_ffff', Number.MAX_SAFE_INTEGER],
    ['1_000', 1000],
  ];
  for (const [text, address] of addresses) t.is(parseAddress(text), address, String(text));
});

test('parseAddress: anything else is none', (t) => {
  const others = [
    -4096,
    0.5,
    2 ** 53,
    '',
    '0x',
    '0x_1',
    '0x1_',
    '0x1__0',
    '4000h',
    '-1',
    '0x20_0000_0000_0000',
    '64MiB',
    '1e9',
  ];
  for (const text of others) t.is(parseAddress(text), undefined, String(text));
});

test('parseDuration: numbers with a unit, in nanoseconds', (t) => {
  t.is(parseDuration('6ms'), 6_000_000);
  t.is(parseDuration('0.5s'), 500_000_000);
  t.is(parseDuration('1h'), 3_600_000_000_000);
  for (const text of ['6', '-1s', '1 day', '']) t.is(parseDuration(text), undefined, text);
});
