/**
 * A camera of a scenario behind a V4L2 capture node: one format, one plane, the rate of its sensor.
 *
 * STREAMON starts its driver and STREAMOFF ends it. A tick without a queued buffer loses the frame, and its sequence number
 * with it. Source: the buffer handling of a driver such as rkisp1-capture.c, v6.12.
 */
import { type DeviceStatistics, type FrameFormat, planDriver } from '@dmabuf-lab/core/driver';
import { V4L2_BUF_FLAG, V4L2_BUF_TYPE, V4L2_CAP, V4L2_FIELD } from '../../../abi/videodev2.js';
import type { PixelFormat } from '../../v4l2/pixel-formats.js';
import { type Vb2Buffer, vb2Error } from '../../v4l2/vb2-buffer.js';
import { dmaMemOps } from '../../v4l2/vb2-dma-memory.js';
import type { Vb2Ops } from '../../v4l2/vb2-ops.js';
import { Vb2Queue } from '../../v4l2/vb2-queue.js';
import { addVideoNode } from '../../v4l2/video-file.js';
import type { VideoFormat } from '../../v4l2/video-format.js';
import type { FrameInterval, VideoNode } from '../../v4l2/video-node.js';
import type { NodeContextParts } from '../node-context.js';
import type { NodeFrame } from '../node-frame.js';
import { contextParts, refuseUnbound, type SocHost } from '../soc-device.js';
import { type CaptureBuffers, CapturePort } from './capture-port.js';
import { DriverRun } from './driver-run.js';
import {
  type DriverFailure,
  intervalOf,
  MAX_BUFFERS,
  NO_CONTROLS,
  onlyPort,
  pixelFormatOf,
  planeSizes,
  type SocVideoDevice,
  STREAMING_IO,
  unfit,
  type VideoDeviceOptions,
  videoFormatOf,
} from './video-device.js';

/**
 * Adds a source behind a capture node. Its driver has one output and no input that must be linked.
 *
 * @throws ErrnoError EINVAL when the driver is no such source, or cannot work with its parameters
 */
export function addCaptureNode(host: SocHost, options: VideoDeviceOptions): SocVideoDevice {
  const node = new CaptureNode(host, options);
  addVideoNode(host.kernel, options.path, () => node);
  const { name, path } = options;
  return {
    name,
    paths: [path],
    statistics: node.statistics,
    failures: node.failures,
    get isRunning() {
      return node.running.size > 0;
    },
    unbind: () => node.unbind(),
  };
}

class CaptureNode implements VideoNode, Vb2Ops, CaptureBuffers {
  readonly driver: string;
  readonly card: string;
  readonly busInfo: string;
  readonly deviceCapabilities = V4L2_CAP.VIDEO_CAPTURE | V4L2_CAP.STREAMING;
  readonly capabilities = V4L2_CAP.VIDEO_CAPTURE | V4L2_CAP.STREAMING;
  readonly queue: Vb2Queue;
  readonly controls = NO_CONTROLS;
  readonly media = undefined;
  isUnbound = false;
  readonly connector = 0;
  readonly interval: FrameInterval;
  readonly statistics: DeviceStatistics;
  readonly failures: DriverFailure[] = [];
  readonly running = new Set<DriverRun>();
  readonly #parts: NodeContextParts;
  readonly #port: string;
  readonly #format: FrameFormat;
  readonly #pixelFormat: PixelFormat;
  /** Queued, oldest first. */
  readonly #active: Vb2Buffer[] = [];
  /** In the driver's hands. */
  readonly #taken = new Set<Vb2Buffer>();
  #stream: { readonly run: DriverRun; readonly port: CapturePort } | undefined;
  #hasEnded = false;

  constructor(
    private readonly host: SocHost,
    private readonly options: VideoDeviceOptions,
  ) {
    const { name, driver, parameters, isContiguous = false, pages } = options;
    this.driver = driver.name;
    this.card = name;
    this.busInfo = `platform:${name}`;
    this.#port = onlyPort(driver, 'out');
    const { outputs, problems } = planDriver(driver, parameters, {});
    if (problems.length > 0) throw unfit(driver, problems.map(({ message }) => message).join('; '));
    this.#format = outputs[this.#port];
    this.#pixelFormat = pixelFormatOf(driver, this.#format);
    this.interval = intervalOf(this.#format);
    this.#parts = contextParts(host, name, options.statistics);
    this.statistics = this.#parts.statistics;
    const memory = dmaMemOps(host.kernel, {
      device: name,
      direction: 'from-device',
      isContiguous,
      ...(pages !== undefined && { pages }),
    });
    this.queue = new Vb2Queue(
      host.kernel,
      {
        name,
        type: V4L2_BUF_TYPE.VIDEO_CAPTURE,
        isOutput: false,
        isMultiplanar: false,
        maxBuffers: MAX_BUFFERS,
        minBuffers: 1,
        ioModes: STREAMING_IO,
        memory,
        // The time of a frame is that of the sensor's tick.
        timestampFlags: V4L2_BUF_FLAG.TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG.TSTAMP_SRC_SOE,
      },
      this,
    );
  }

  get isUnplugged(): boolean {
    return this.isUnbound;
  }

  /** Source: vb2_video_unregister_device, v6.12. */
  unbind(): void {
    const { kernel } = this.host;
    refuseUnbound(this.options.name, this.isUnbound);
    this.isUnbound = true;
    kernel.removeNode(this.options.path);
    this.queue.release();
    kernel.changed();
  }

  opened(): void {}
  closed(): void {}

  // --- formats -------------------------------------------------------------------------------------------------------

  formatsOf(): readonly PixelFormat[] {
    return [this.#pixelFormat];
  }

  getFormat(): VideoFormat {
    return videoFormatOf(this.#format, this.#pixelFormat.fourcc);
  }

  tryFormat(): VideoFormat {
    return this.getFormat();
  }

  setFormat(): VideoFormat {
    if (this.queue.isBusy) throw vb2Error('EBUSY', 'VIDIOC_S_FMT', 'buffers are allocated');
    return this.getFormat();
  }

  selectConnector(index: number): void {
    if (index !== 0) throw vb2Error('EINVAL', 'VIDIOC_S_INPUT', `there is no input ${index}`);
  }

  // --- for the queue -------------------------------------------------------------------------------------------------

  queueSetup(wanted: readonly number[]): readonly number[] {
    return planeSizes(wanted, this.#format.sizeBytes);
  }

  prepare(buffer: Vb2Buffer): void {
    const { sizeBytes } = this.#format;
    const [{ lengthBytes }] = buffer.planes;
    if (lengthBytes < sizeBytes)
      throw vb2Error('EINVAL', 'VIDIOC_QBUF', `the buffer has ${lengthBytes} bytes of ${sizeBytes}`);
  }

  enqueue(buffer: Vb2Buffer): void {
    this.#active.push(buffer);
    if (this.#hasEnded) this.#endStream();
    else this.host.kernel.changed();
  }

  startStreaming(): void {
    const { kernel, contents } = this.host;
    const { driver, parameters } = this.options;
    const { statistics } = this;
    this.#hasEnded = false;
    const port = new CapturePort({ kernel, contents, statistics, format: this.#format, buffers: this });
    const run = new DriverRun({
      parts: this.#parts,
      driver,
      parameters,
      ports: { [this.#port]: port },
      running: this.running,
      ended: () => this.#endStream(),
      failed: (error) => this.#fail(error),
    });
    this.#stream = { run, port };
    run.start();
  }

  /** All buffers go back at once: what the driver is doing has lost its buffer. */
  stopStreaming(): void {
    this.#stream?.run.cancel();
    this.#stream?.port.close();
    this.#stream = undefined;
    this.#hasEnded = false;
    for (const buffer of [...this.#taken, ...this.#active.splice(0)]) this.queue.done(buffer, 'error');
    this.#taken.clear();
  }

  /** A source that has no more frames: the next buffer comes back empty, as the last one. */
  #endStream(): void {
    this.#hasEnded = true;
    const buffer = this.#active.shift();
    if (buffer === undefined) return;
    buffer.flags |= V4L2_BUF_FLAG.LAST;
    buffer.planes[0].usedBytes = 0;
    this.queue.done(buffer, 'done');
  }

  #fail(error: Error): void {
    this.failures.push({ timeNs: this.host.kernel.now(), error });
    this.queue.fail();
  }

  // --- for the driver's port -----------------------------------------------------------------------------------------

  take(): Vb2Buffer | undefined {
    const buffer = this.#active.shift();
    if (buffer !== undefined) this.#taken.add(buffer);
    return buffer;
  }

  putBack(buffer: Vb2Buffer): void {
    if (this.#taken.delete(buffer)) this.#active.unshift(buffer);
  }

  complete(buffer: Vb2Buffer, { sequence, capturedNs, error }: NodeFrame): void {
    if (!this.#taken.delete(buffer)) return;
    buffer.sequence = sequence;
    buffer.timestampNs = BigInt(capturedNs);
    buffer.field = V4L2_FIELD.NONE;
    buffer.planes[0].usedBytes = this.#format.sizeBytes;
    this.queue.done(buffer, error === 0 ? 'done' : 'error');
  }
}
