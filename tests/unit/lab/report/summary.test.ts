/** Compares summaries of results written by hand with golden files. UPDATE_GOLDEN=1 writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type RunResult, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { interruptedResult, leakingResult, movedResult, quietResult, timedOutResult } from '../result/sample-result.js';

/** From tests/dist/unit/lab/report to the sources. */
const golden = (name: string): URL => new URL(`../../../../unit/lab/report/golden/${name}.txt`, import.meta.url);

const artefacts: RunResult['artefacts'] = [
  { kind: 'video', device: 'encoder', file: 'encoder-video.mp4', frames: 148, backend: 'h264-mp4-encoder' },
  ...[295, 296, 297, 298, 299].map((n) => ({
    kind: 'picture' as const,
    device: 'display',
    file: `display-frame-000${n}.png`,
  })),
  { kind: 'text', device: 'display', file: 'display-crc.txt' },
  { kind: 'trace', file: 'trace.pftrace' },
  { kind: 'result', file: 'result.json' },
];

const cases: [string, RunResult, string?][] = [
  ['no-moves', quietResult],
  ['moves', { ...movedResult, artefacts }, 'out/late-encoder'],
  ['timed-out-move', timedOutResult],
  ['interrupted', interruptedResult],
  ['leak', leakingResult],
];

for (const [name, result, dir] of cases) {
  test(`summarize: says in golden/${name}.txt what happened`, (t) => {
    const text = summarize(result, { dir });
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden(name), text);
    t.is(text, readFileSync(golden(name), 'utf8'));
    for (const line of text.split('\n')) t.true(line.length <= 100, line);
  });
}

test('summarize: many moves are added up after a dozen', (t) => {
  const { moves } = movedResult.buffers[0];
  const buffers = Array.from({ length: 20 }, (_, i) => ({
    ...movedResult.buffers[0],
    name: `camera.out[${i}]`,
    moves: [{ ...moves[0], requestedNs: moves[0].requestedNs + i }],
  }));
  const text = summarize({ ...movedResult, buffers });
  t.true(text.includes('camera.out[11]:'));
  t.false(text.includes('camera.out[12]:'));
  t.true(text.includes('… and 8 moves more, all done; the longest took 6.09 ms.'));
});

test('summarize: an arrival that the buffers of one pool saw one after another is told once', (t) => {
  const [first, late] = movedResult.attaches;
  const apart = [late, { ...late, atNs: late.atNs + 5_000_000 }, { ...late, atNs: late.atNs + 9_000_000 }];
  const text = summarize({ ...movedResult, attaches: [first, ...apart.map((attach) => ({ ...attach, buffers: 1 }))] });
  t.is(text.split('encoder joined camera.out').length - 1, 1);
  t.true(text.includes('3 buffers have to move'));
});

test('summarize: bytes that no successful move accounts for are not ascribed to moves', (t) => {
  const text = summarize({ ...movedResult, bytesCopied: 4_718_592 });
  t.true(text.includes('Copied: 4.5 MiB, 3 MiB of it by 2 moves of buffers'));
});

test('summarize: a refused attach says so', (t) => {
  const refused = { ...movedResult.attaches[1], outcome: 'refused' as const, why: 'No heap suits.', forcedBy: [] };
  const text = summarize({ ...quietResult, attaches: [...quietResult.attaches, refused] });
  t.true(text.includes('At 5.000 s encoder could NOT join camera.out: refused for 2 buffers'));
});
