/** Calls a peer that never answers, tells the calling end of its death, and posts how the calls settled. */
import { MessageChannel, parentPort } from 'node:worker_threads';

const { RemotePeer } = await import(
  new URL('../../../../../../packages/core/dist/runtime/threads/comlink-ports.js', import.meta.url).href
);
const { port1 } = new MessageChannel();
const peer = new RemotePeer('exporter', port1);
const settled = (): Promise<string> =>
  new Promise((resolve) => {
    peer.call(
      'map',
      {},
      { resolve: () => resolve('resolved'), reject: (error: { code: string }) => resolve(error.code) },
    );
  });
const pending = settled();
peer.die();
parentPort?.postMessage({ pending: await pending, later: await settled() });
port1.close();
