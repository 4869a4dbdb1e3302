import test from 'ava';

interface Errors {
  describeError(thrown: unknown, isPreparing: boolean): { text: string; exitCode: number };
}

/** The command line is a program and no part of the library; its compiled module is loaded by its path. */
const path = '../../../../../packages/lab/dist/cli/errors.js';
const { describeError } = (await import(new URL(path, import.meta.url).href)) as Errors;

test('describeError: what carries exit code 2 is told by its message alone', (t) => {
  const error = Object.assign(new Error('a.yaml:3: colour is unknown'), { exitCode: 2 });
  t.deepEqual(describeError(error, true), { text: 'a.yaml:3: colour is unknown', exitCode: 2 });
});

test('describeError: a broken media file is bad input', (t) => {
  const error = Object.assign(new Error('Cannot open clip.mp4: it is empty'), { code: 'EMEDIA' });
  t.deepEqual(describeError(error, true), { text: 'Cannot open clip.mp4: it is empty', exitCode: 2 });
});

test('describeError: too many workers for the host is bad input, and a thread that cannot be had is a failure', (t) => {
  const tooMany = Object.assign(new Error('Cannot start 17 workers'), { code: 'ENOMEM', op: 'clone' });
  t.deepEqual(describeError(tooMany, false), { text: 'Cannot start 17 workers', exitCode: 2 });
  const none = Object.assign(new Error('Cannot start a thread for gpu'), { code: 'EAGAIN', op: 'clone' });
  t.deepEqual(describeError(none, false), { text: 'The run failed: Cannot start a thread for gpu', exitCode: 1 });
});

test('describeError: a file that cannot be read is bad input before the run, and a failure after it', (t) => {
  const error = Object.assign(new Error('ENOSPC: x'), { code: 'ENOSPC', syscall: 'write', path: 'out/video.mp4' });
  const text = 'Cannot write out/video.mp4: no space is left on the device (ENOSPC)';
  t.deepEqual(describeError(error, true), { text, exitCode: 2 });
  t.deepEqual(describeError(error, false), { text, exitCode: 1 });
});

test('describeError: a failed actor is named, with the reason once and the stack of the cause', (t) => {
  const cause = new Error('the stamp of frame 7 is torn');
  cause.stack = `Error: ${cause.message}\n    at verify (gpu.js:10:5)\n    at next (loop.js:2:1)`;
  const error = Object.assign(new Error('gpu failed'), { actor: 'gpu', cause });
  const text =
    'The run failed: gpu: the stamp of frame 7 is torn\n    at verify (gpu.js:10:5)\n    at next (loop.js:2:1)';
  t.deepEqual(describeError(error, false), { text, exitCode: 1 });
});

test('describeError: a cause without a stack is still named', (t) => {
  const cause = { message: 'it exited', stack: undefined };
  const error = Object.assign(new Error('gpu failed'), { actor: 'gpu', cause });
  t.deepEqual(describeError(error, false), { text: 'The run failed: gpu: it exited', exitCode: 1 });
});

test('describeError: an error of the run itself is told by its message, any other with its stack', (t) => {
  const errno = Object.assign(new Error('Cannot go on: everybody waits'), { code: 'EDEADLK' });
  t.deepEqual(describeError(errno, false), { text: 'The run failed: Cannot go on: everybody waits', exitCode: 1 });
  const mistake = new TypeError('x is undefined');
  t.deepEqual(describeError(mistake, false), { text: mistake.stack ?? '', exitCode: 1 });
  t.deepEqual(describeError('just text', false), { text: 'just text', exitCode: 1 });
});
