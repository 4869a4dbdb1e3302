import { Worker } from 'node:worker_threads';
import test from 'ava';

test('RemotePeer, a call that is pending when its peer dies, is rejected with ENODEV, and so is every later one', async (t) => {
  // Inside a worker of its own, since Comlink belongs to the runtime: it calls a port that nobody will ever answer.
  const worker = new Worker(new URL('./programs/dead-peer.js', import.meta.url));
  const answer = await new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  t.deepEqual(answer, { pending: 'ENODEV', later: 'ENODEV' });
});
