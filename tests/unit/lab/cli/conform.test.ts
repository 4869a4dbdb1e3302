import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { run, scratch } from './command-line.js';

const good = (expect: object): object => ({
  id: 'a.one',
  needs: ['heap'],
  steps: [
    { op: 'heap.open', as: 'h', expect: { ret: 'fd' } },
    { op: 'heap.alloc', heap: 'h', len: 1, expect },
  ],
});

test('conform: 0 where all answers are those of Linux, 1 with both answers where one is not', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'good.json'), JSON.stringify([good({ ret: 0, fd: 'new', len: 1 })]));
  await writeFile(join(dir, 'other.json'), JSON.stringify({ cases: [good({ errno: 'EPERM' })] }));
  const same = await run(dir, ['conform', 'good.json']);
  t.is(same.code, 0, same.stderr);
  t.is(same.stdout, 'pass            a.one\n1 passed, 0 differ\n');
  const differs = await run(dir, ['conform', 'good.json', 'other.json']);
  t.is(differs.code, 1);
  t.regex(
    differs.stdout,
    /differs {9}a\.one: step 1, heap\.alloc\n {2}Linux {6}\{"errno":"EPERM"\}\n {2}simulator {2}\{"ret":0/,
  );
  const data = JSON.parse((await run(dir, ['conform', 'other.json', '--json'])).stdout);
  t.like(data, { version: 1, passed: 0, differing: 1 });
  t.is((await run(dir, ['conform', 'good.json', '--area', 'a'])).code, 0);
  t.is((await run(dir, ['conform', 'good.json', '--area', 'b'])).code, 2);
});

test('conform: what the machine does not have, is not supported and does not pass', async (t) => {
  const dir = await scratch(t);
  const needy = { ...good({ errno: 'EPERM' }), needs: ['heap', 'quantum'] };
  await writeFile(join(dir, 'x.json'), JSON.stringify([needy]));
  const { code, stdout } = await run(dir, ['conform', 'x.json']);
  t.is(code, 0);
  t.is(stdout, 'not supported   a.one: there is no quantum\n0 passed, 0 differ, 1 not supported\n');
});

test('conform: a case without any answer runs, and does not pass', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'x.json'), JSON.stringify([{ id: 'a.bare', steps: [{ op: 'heap.open', as: 'h' }] }]));
  const { code, stdout } = await run(dir, ['conform', 'x.json']);
  t.is(code, 0);
  t.is(stdout, 'not recorded    a.bare: no step says what Linux answered\n0 passed, 0 differ, 1 not recorded\n');
  const data = JSON.parse((await run(dir, ['conform', 'x.json', '--json'])).stdout);
  t.like(data, { passed: 0, notRecorded: 1, cases: [{ answers: [{ ret: 'fd' }] }] });
});

test('conform: small numbers may be text, a list of one may be its element, and a descriptor is that of its own key', async (t) => {
  const dir = await scratch(t);
  const steps = [
    { op: 'memfd.create', as: 'm', expect: { ret: 'fd' } },
    { op: 'fd.fchmod', fd: 'm', mode: '0x180', expect: { ret: 0 } },
    { op: 'fd.link', fd: 'm', expect: { ret: 0, target: '/memfd:m (deleted)' } },
    { op: 'heap.open', as: 'h', expect: { ret: 'fd' } },
    { op: 'heap.alloc', fd: 'h', len: '4096', expect: { errno: 'EBADF' } },
    { op: 'drm.open', node: 'virtio_gpu-render', as: 'r', expect: { ret: 'fd' } },
    { op: 'syncobj.create', drm: 'r', as: 's', expect: { ret: 0, handle: 1 } },
    { op: 'syncobj.timelineSignal', drm: 'r', handles: 's', points: 3, expect: { ret: 0 } },
    { op: 'syncobj.query', drm: 'r', handles: ['s'], expect: { ret: 0, points: [3] } },
  ];
  await writeFile(join(dir, 'x.json'), JSON.stringify([{ id: 'a.loose', steps }]));
  t.is((await run(dir, ['conform', 'x.json'])).stdout, 'pass            a.loose\n1 passed, 0 differ\n');
});

const WRONG: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ['no JSON', '{', /^x\.json: not valid JSON/],
  ['no list', '{"case": []}', /^x\.json: expected a list of cases, or a mapping with "cases"/],
  ['a case without an id', '[{"steps": []}]', /^x\.json: case 0: id: /],
  [
    'an unknown operation',
    '[{"id":"a","steps":[{"op":"heap.opne"}]}]',
    /^x\.json: case a: step 0: unknown operation "heap\.opne", did you mean "heap\.open"\?/,
  ],
  [
    'a misspelt expectation',
    '[{"id":"a","steps":[{"op":"heap.open","as":"h","expcet":{"ret":"fd"}}]}]',
    /^x\.json: case a: step 0 \(heap\.open\): "expcet" holds an answer, did you mean "expect"\?/,
  ],
  [
    'an argument of another type',
    '[{"id":"a","steps":[{"op":"heap.open"},{"op":"map.read","map":3}]}]',
    /^x\.json: case a: step 1 \(map\.read\): map: /,
  ],
  [
    'an unknown flag',
    '[{"id":"a","steps":[{"op":"buf.sync","flags":"SIDEWAYS"}]}]',
    /^x\.json: case a: step 0 \(buf\.sync\): flags: unknown flag "SIDEWAYS"/,
  ],
  ['an id twice', '[{"id":"a","steps":[]},{"id":"a","steps":[]}]', /^x\.json: case a: the id is used twice/],
];
for (const [what, text, says] of WRONG) {
  test(`conform: ${what}, is refused with file, case and step, and nothing runs`, async (t) => {
    const dir = await scratch(t);
    await writeFile(join(dir, 'x.json'), text);
    const { code, stdout, stderr } = await run(dir, ['conform', 'x.json']);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, says);
    t.notRegex(stderr, /^\s+at /m);
  });
}

test('conform --strict: refuses what Linux passes, and a kernel that is not known is refused', async (t) => {
  const dir = await scratch(t);
  const steps = [
    { op: 'heap.open', as: 'h' },
    { op: 'heap.alloc', heap: 'h', len: 4096, as: 'b' },
    { op: 'buf.sync', buf: 'b', flags: ['END', 'RW'], expect: { ret: 0 } },
  ];
  await writeFile(join(dir, 'x.json'), JSON.stringify([{ id: 'a.end', needs: ['heap'], steps }]));
  t.is((await run(dir, ['conform', 'x.json'])).code, 0);
  t.is((await run(dir, ['conform', 'x.json', '--kernel', '7'])).code, 0);
  const strict = await run(dir, ['conform', 'x.json', '--strict']);
  t.is(strict.code, 1);
  t.regex(strict.stdout, /step 2, buf\.sync/);
  t.is((await run(dir, ['conform', 'x.json', '--kernel', '5'])).code, 2);
});

test('conform: a file that is not there, is refused', async (t) => {
  const { code, stderr } = await run(await scratch(t), ['conform', 'nowhere.json']);
  t.is(code, 2);
  t.notRegex(stderr, /^\s+at /m);
});

test('conform: a directory is refused by its name', async (t) => {
  const dir = await scratch(t);
  await mkdir(join(dir, 'cases'));
  const { code, stderr } = await run(dir, ['conform', 'cases']);
  t.is(code, 2);
  t.is(stderr, 'Cannot read cases: it is a directory (EISDIR)\n');
});
