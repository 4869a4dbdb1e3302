/** What a queue of video buffers allows in which state. */
import * as uapi from '@dmabuf-lab/uapi';
import test from 'ava';
import { CAPTURE, VideoBench } from './video-bench.js';

const { V4L2_BUF_FLAG: FLAG, V4L2_MEMORY, POLL } = uapi;
const REMOVE = { type: CAPTURE };

test('reqbufs, gives all memory back, and what is exported only with its last descriptor', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  t.is(bench.reqbufs(fd, 3), 3);
  t.is(bench.pagesInUse, 3 * 29);
  const exported = bench.command(fd, uapi.VIDIOC_EXPBUF, { type: CAPTURE, index: 1 });
  t.true((bench.query(fd, 1).flags & FLAG.MAPPED) !== 0);
  t.is(bench.reqbufs(fd, 0), 0);
  t.is(bench.pagesInUse, 29, 'orphaned, not freed');
  bench.process.close(exported.fd);
  t.is(bench.pagesInUse, 0);
});

test('removeBufs, leaves a hole that CREATE_BUFS fills when what is asked for fits', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.reqbufs(fd, 4);
  bench.command(fd, uapi.VIDIOC_REMOVE_BUFS, { ...REMOVE, index: 1, count: 2 });
  t.throws(() => bench.query(fd, 2), { code: 'EINVAL' });
  t.throws(() => bench.command(fd, uapi.VIDIOC_REMOVE_BUFS, { ...REMOVE, index: 0, count: 2 }), { code: 'EINVAL' });
  const format = bench.command(fd, uapi.VIDIOC_G_FMT, { type: CAPTURE });
  const create = (count: number): number =>
    bench.command(fd, uapi.VIDIOC_CREATE_BUFS, { format, memory: V4L2_MEMORY.MMAP, count }).index;
  t.is(create(3), 4, 'three do not fit into the hole');
  t.is(create(2), 1);
  bench.queue(fd, 1);
  t.throws(() => bench.command(fd, uapi.VIDIOC_REMOVE_BUFS, { ...REMOVE, index: 1, count: 1 }), { code: 'EBUSY' });
});

test('owner, is who allocated; another file may look, and only that, until the buffers are gone', (t) => {
  const bench = new VideoBench();
  const [mine, other] = [bench.open(), bench.open()];
  bench.reqbufs(mine, 2);
  for (const call of [
    () => bench.reqbufs(other, 2),
    () => bench.queue(other, 0),
    () => bench.stream(other, true),
    () => bench.command(other, uapi.VIDIOC_EXPBUF, { type: CAPTURE }),
  ]) {
    t.throws(call, { code: 'EBUSY' });
  }
  t.is(bench.query(other, 1).index, 1);
  bench.process.close(mine);
  t.is(bench.reqbufs(other, 2), 2);
});

test('dqbuf, fails without waiting in each state that has nothing to wait for', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  const dequeue = (): unknown => bench.command(fd, uapi.VIDIOC_DQBUF, { type: CAPTURE });
  bench.reqbufs(fd, 2);
  t.throws(dequeue, { code: 'EINVAL' });
  bench.stream(fd, true);
  t.throws(dequeue, { code: 'EAGAIN' });
  bench.press(fd, 'Inject Fatal Streaming Error');
  t.throws(dequeue, { code: 'EIO' });
  t.is(bench.poll(fd, POLL.IN), POLL.ERR);
  t.throws(() => bench.queue(fd, 0), { code: 'EIO' });
  bench.stream(fd, false);
  bench.queue(fd, 0);
  bench.stream(fd, true);
  t.is(bench.dequeue(fd).index, 0, 'STREAMOFF has ended the error');
});

test('qbuf, of a dma-buf, holds it until another replaces it or the queue is freed', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  const heap = bench.process.open('/dev/dma_heap/system', uapi.O.RDWR);
  const buffers = [0, 1].map(() => bench.command(heap, uapi.DMA_HEAP_IOCTL_ALLOC, { len: 115_200n }).fd);
  const held = (): number[] => buffers.map((one) => bench.process.fds.file(one, 'test').references);
  const memory = V4L2_MEMORY.DMABUF;
  bench.reqbufs(fd, 2, memory);
  bench.queue(fd, 0, { memory, m: BigInt(buffers[0]) });
  t.deepEqual(held(), [2, 1]);
  const mapped = (): number[] => buffers.map((one) => bench.dmaBuf(one).object.vmapUsers.length);
  t.deepEqual(mapped(), [1, 0]);
  bench.stream(fd, true);
  bench.dequeue(fd);
  t.deepEqual(held(), [2, 1], 'dequeued, and still held');
  bench.queue(fd, 0, { memory, m: BigInt(buffers[1]) });
  t.deepEqual(held(), [1, 2]);
  t.deepEqual(mapped(), [0, 1]);
  bench.stream(fd, false);
  t.throws(() => bench.queue(fd, 0, { memory, m: 9999n }), { code: 'EINVAL' });
  t.deepEqual(held(), [1, 1], 'a queueing that fails drops what the index had');
  t.deepEqual(mapped(), [0, 0]);
});

test('prepareBuf, keeps what it has prepared when QBUF names another dma-buf', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.reqbufs(fd, 2);
  const prepare = (): number =>
    bench.command(fd, uapi.VIDIOC_PREPARE_BUF, { type: CAPTURE, memory: V4L2_MEMORY.MMAP, index: 0 }).flags;
  t.is(prepare(), FLAG.PREPARED | FLAG.TIMESTAMP_MONOTONIC);
  t.throws(prepare, { code: 'EINVAL' });
  bench.stream(fd, false);
  t.is(bench.query(fd, 0).flags, FLAG.TIMESTAMP_MONOTONIC, 'STREAMOFF undoes it');
});
