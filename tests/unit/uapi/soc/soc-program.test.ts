import { fileURLToPath } from 'node:url';
import { tickTime } from '@dmabuf-lab/core/base';
import { runProgram } from '@dmabuf-lab/lab';
import test from 'ava';
import type { SocProgramResult } from './soc-program.js';

const MODULE = fileURLToPath(new URL('./soc-program.js', import.meta.url));
const us = (ns: number): number => Math.floor(ns / 1000) * 1000;

test('a program with GPU and display, in the virtual runtime, ends when it returns, the same each time, strictly', async (t) => {
  const first = await runProgram(MODULE, { mode: 'strict' });
  const { flips } = first.result as SocProgramResult;
  t.is(flips.length, 12);
  for (const [timeNs, sequence] of flips) {
    t.is(timeNs, us(tickTime(sequence - 1, { num: 60, den: 1 })), 'the first vblank is at 0');
  }
  const left = first.findings.filter(({ kind }) => !kind.endsWith('-left-open'));
  t.deepEqual(left, [], 'it keeps the rules; what it has open it leaves to its exit');
  t.deepEqual(await runProgram(MODULE, { mode: 'strict' }), first);
});
