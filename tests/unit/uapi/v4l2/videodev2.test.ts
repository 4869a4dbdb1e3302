/** The ABI of V4L2 as C programs see it. */
import * as uapi from '@dmabuf-lab/uapi';
import test from 'ava';

test('ioctl numbers, are those of the C headers on x86-64', (t) => {
  const expected: Readonly<Record<string, number>> = {
    VIDIOC_QUERYCAP: 0x80685600,
    VIDIOC_ENUM_FMT: 0xc0405602,
    VIDIOC_G_FMT: 0xc0d05604,
    VIDIOC_REQBUFS: 0xc0145608,
    VIDIOC_QUERYBUF: 0xc0585609,
    VIDIOC_QBUF: 0xc058560f,
    VIDIOC_EXPBUF: 0xc0405610,
    VIDIOC_DQBUF: 0xc0585611,
    VIDIOC_STREAMON: 0x40045612,
    VIDIOC_S_PARM: 0xc0cc5616,
    VIDIOC_S_CTRL: 0xc008561c,
    VIDIOC_QUERYCTRL: 0xc0445624,
    VIDIOC_S_INPUT: 0xc0045627,
    VIDIOC_ENCODER_CMD: 0xc028564d,
    VIDIOC_TRY_ENCODER_CMD: 0xc028564e,
    VIDIOC_CREATE_BUFS: 0xc100565c,
    VIDIOC_PREPARE_BUF: 0xc058565d,
    VIDIOC_REMOVE_BUFS: 0xc0405668,
    MEDIA_IOC_REQUEST_ALLOC: 0x80047c05,
    MEDIA_REQUEST_IOC_QUEUE: 0x7c80,
    MEDIA_REQUEST_IOC_REINIT: 0x7c81,
  };
  const commands: readonly uapi.IoctlCommand[] = Object.values(uapi).filter(
    (value): value is uapi.IoctlCommand => typeof value === 'object' && 'number' in value && 'name' in value,
  );
  const found = commands.filter(({ name }) => name in expected).map(({ name, number }) => [name, number]);
  t.deepEqual(Object.fromEntries(found), expected);
});

test('structures, have the offsets of the C headers', (t) => {
  const { m, length, request_fd } = uapi.v4l2Buffer.offsets;
  t.deepEqual([m, length, request_fd], [64, 72, 80]);
  t.deepEqual([uapi.v4l2PixFormatMplane.size, uapi.v4l2PixFormatMplane.offsets.num_planes], [192, 180]);
  t.deepEqual([uapi.v4l2CreateBuffers.offsets.format, uapi.v4l2CreateBuffers.offsets.capabilities], [16, 224]);
});

test('v4l2Fourcc, keeps its text, whatever the byte order', (t) => {
  t.is(uapi.v4l2FourccText(uapi.v4l2Fourcc('Y16', true)), 'Y16 ');
  t.is(uapi.v4l2Fourcc('YUYV'), 0x56595559);
});
