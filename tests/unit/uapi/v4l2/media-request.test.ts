/** Requests, and the buffers in them. */
import * as uapi from '@dmabuf-lab/uapi';
import test from 'ava';
import { VideoBench } from './video-bench.js';

const { V4L2_BUF_FLAG: FLAG, POLL } = uapi;

function withRequest(): { bench: VideoBench; video: number; request: number } {
  const bench = new VideoBench();
  const video = bench.open();
  const media = bench.process.open('/dev/media0', uapi.O.RDWR);
  const { fd: request } = bench.command(media, uapi.MEDIA_IOC_REQUEST_ALLOC, {});
  bench.reqbufs(video, 3);
  return { bench, video, request };
}

const inRequest = (request: number) => ({ flags: FLAG.REQUEST_FD, request_fd: request });

test('request, is complete when its last buffer is, and can be used again', (t) => {
  const { bench, video, request } = withRequest();
  for (const index of [0, 1]) bench.queue(video, index, inRequest(request));
  t.is(bench.poll(request, POLL.PRI), POLL.ERR, 'not queued yet');
  bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_QUEUE);
  t.throws(() => bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_REINIT), { code: 'EBUSY' });
  t.throws(() => bench.queue(video, 2), { code: 'EBUSY' }, 'the queue is used with requests');
  bench.stream(video, true);
  t.is(bench.poll(request, POLL.PRI), POLL.PRI);
  t.deepEqual([bench.dequeue(video).index, bench.dequeue(video).index], [0, 1]);
  bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_REINIT);
  bench.queue(video, 2, inRequest(request));
});

test('request, without a buffer, cannot be queued', (t) => {
  const { bench, request } = withRequest();
  t.throws(() => bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_QUEUE), { code: 'ENOENT' });
});

test('request, used again before it is queued, lets go of its buffers', (t) => {
  const { bench, video, request } = withRequest();
  bench.queue(video, 0, inRequest(request));
  t.true((bench.query(video, 0).flags & FLAG.IN_REQUEST) !== 0);
  bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_REINIT);
  t.is(bench.query(video, 0).flags, FLAG.TIMESTAMP_MONOTONIC);
});

test('STREAMOFF, completes a request whose buffers have not been filled', (t) => {
  const { bench, video, request } = withRequest();
  bench.queue(video, 0, inRequest(request));
  bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_QUEUE);
  bench.stream(video, false);
  t.is(bench.poll(request, POLL.PRI), POLL.PRI);
  t.is(bench.query(video, 0).flags, FLAG.TIMESTAMP_MONOTONIC);
  bench.queue(video, 0);
});

test('req_validate() error, leaves the request as it was', (t) => {
  const { bench, video, request } = withRequest();
  bench.queue(video, 0, inRequest(request));
  bench.press(video, 'Inject req_validate() Error');
  t.throws(() => bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_QUEUE), { code: 'EINVAL' });
  bench.ioctl(request, uapi.MEDIA_REQUEST_IOC_QUEUE);
});
