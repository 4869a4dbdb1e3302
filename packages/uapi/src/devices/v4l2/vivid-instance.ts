/**
 * What the nodes of one vivid device share: its controls, which inject errors, and whether it is plugged in.
 *
 * Source: drivers/media/test-drivers/vivid/vivid-ctrls.c and vivid-core.c, v6.12.
 */
import { RandomStream } from '@dmabuf-lab/core/base';
import { V4L2_CAP, V4L2_CTRL_FLAG, V4L2_CTRL_TYPE } from '../../abi/videodev2.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { PageAllocator } from '../../kernel/pages.js';
import { vb2Error } from './vb2-buffer.js';
import { dmaMemOps } from './vb2-dma-memory.js';
import type { Vb2MemOps } from './vb2-memory.js';
import type { Vb2Queue } from './vb2-queue.js';
import { vmallocMemOps } from './vb2-vmalloc.js';
import type { ControlInfo, VideoControls } from './video-node.js';

/** VIVID_CID_VIVID_BASE. */
const BASE = 0x00f0_f000;

/** Ids of the controls that change how buffers go, by their names in the driver. */
export const VIVID_CID = {
  'Wrap Sequence Number': BASE + 38,
  'Wrap Timestamp': BASE + 39,
  'Percentage of Dropped Buffers': BASE + 64,
  Disconnect: BASE + 65,
  'Inject V4L2_BUF_FLAG_ERROR': BASE + 66,
  'Inject VIDIOC_REQBUFS Error': BASE + 67,
  'Inject VIDIOC_QBUF Error': BASE + 68,
  'Inject VIDIOC_STREAMON Error': BASE + 69,
  'Inject Fatal Streaming Error': BASE + 70,
  'Inject req_validate() Error': BASE + 72,
} as const;

/** Those that keep a value; the others are buttons. */
const VALUES: ReadonlyMap<number, { readonly type: number; readonly maximum: number }> = new Map([
  [VIVID_CID['Wrap Sequence Number'], { type: V4L2_CTRL_TYPE.BOOLEAN, maximum: 1 }],
  [VIVID_CID['Wrap Timestamp'], { type: V4L2_CTRL_TYPE.MENU, maximum: 2 }],
  [VIVID_CID['Percentage of Dropped Buffers'], { type: V4L2_CTRL_TYPE.INTEGER, maximum: 100 }],
]);

/** Errors that happen once, the next time that they can. */
type OneShot = 'dqbuf' | 'queueSetup' | 'bufPrepare' | 'startStreaming' | 'validateRequest';

const ONE_SHOTS: ReadonlyMap<number, OneShot> = new Map([
  [VIVID_CID['Inject V4L2_BUF_FLAG_ERROR'], 'dqbuf'],
  [VIVID_CID['Inject VIDIOC_REQBUFS Error'], 'queueSetup'],
  [VIVID_CID['Inject VIDIOC_QBUF Error'], 'bufPrepare'],
  [VIVID_CID['Inject VIDIOC_STREAMON Error'], 'startStreaming'],
  [VIVID_CID['Inject req_validate() Error'], 'validateRequest'],
]);

/** Time stamps begin so long before they wrap. */
const BEFORE_WRAP_NS = 16_000_000_000n;
const NS_PER_S = 1_000_000_000n;
/** By the items of the menu: none, 64 bit, 32 bit. */
const TIME_WRAPS_NS = [0n, 2n ** 63n - BEFORE_WRAP_NS, 2n ** 31n * NS_PER_S - BEFORE_WRAP_NS];
/** With wrapping, sequence numbers begin so many before 2^32. */
const SEQUENCE_BEFORE_WRAP = 128;

const isButton = (id: number): boolean => !VALUES.has(id);

export class VividInstance implements VideoControls {
  readonly list: readonly ControlInfo[] = Object.entries(VIVID_CID).map(([name, id]) => ({
    id,
    name,
    ...(VALUES.get(id) ?? { type: V4L2_CTRL_TYPE.BUTTON, maximum: 0 }),
    flags: isButton(id) ? V4L2_CTRL_FLAG.WRITE_ONLY | V4L2_CTRL_FLAG.EXECUTE_ON_WRITE : 0,
  }));
  readonly queues: Vb2Queue[] = [];
  isUnplugged = false;
  #openFiles = 0;
  readonly #values = new Map<number, number>();
  readonly #pending = new Set<OneShot>();
  readonly #random: RandomStream;

  /** @param seed of what is left to chance */
  constructor(
    readonly number: number,
    readonly isMultiplanar: boolean,
    seed: number,
    /** Pages that follow each other, for memory in one piece; absent = vmalloc. */
    private readonly contiguousPages?: PageAllocator,
  ) {
    this.#random = new RandomStream(seed, `vivid-${number}`);
  }

  /** Memory for a queue of the device. Source: vivid_mem_ops and `allocators`, vivid-core.c. */
  memoryFor(kernel: SimulatedKernel, who: string, isOutput: boolean): Vb2MemOps {
    const { contiguousPages: pages, name: device } = this;
    if (pages === undefined) return vmallocMemOps(kernel, who);
    const direction = isOutput ? 'to-device' : 'from-device';
    return dmaMemOps(kernel, { device, pages, who, direction, isContiguous: true });
  }

  /** V4L2_CAP of capture and output node. */
  get nodeCapabilities(): { readonly capture: number; readonly output: number } {
    const both = V4L2_CAP.STREAMING | V4L2_CAP.READWRITE;
    return this.isMultiplanar
      ? { capture: both | V4L2_CAP.VIDEO_CAPTURE_MPLANE, output: both | V4L2_CAP.VIDEO_OUTPUT_MPLANE }
      : { capture: both | V4L2_CAP.VIDEO_CAPTURE, output: both | V4L2_CAP.VIDEO_OUTPUT };
  }

  get name(): string {
    return `vivid-${String(this.number).padStart(3, '0')}`;
  }

  get(id: number): number {
    this.#checkId(id, 'VIDIOC_G_CTRL');
    if (isButton(id)) throw vb2Error('EACCES', 'VIDIOC_G_CTRL', 'a button has no value');
    return this.#values.get(id) ?? 0;
  }

  /** Source: vivid_streaming_s_ctrl, vivid_user_gen_s_ctrl. */
  set(id: number, value: number): number {
    this.#checkId(id, 'VIDIOC_S_CTRL');
    const kept = VALUES.get(id);
    if (kept === undefined) {
      this.#press(id);
      return 0;
    }
    const { type, maximum } = kept;
    if (type === V4L2_CTRL_TYPE.MENU && (value < 0 || value > maximum))
      throw vb2Error('ERANGE', 'VIDIOC_S_CTRL', `the menu has items 0 to ${maximum}, got ${value}`);
    const nearest = type === V4L2_CTRL_TYPE.BOOLEAN ? Number(value !== 0) : Math.min(Math.max(value, 0), maximum);
    this.#values.set(id, nearest);
    return nearest;
  }

  #checkId(id: number, op: string): void {
    if (!this.list.some((control) => control.id === id)) throw vb2Error('EINVAL', op, `there is no control ${id}`);
  }

  #press(id: number): void {
    const error = ONE_SHOTS.get(id);
    if (error !== undefined) this.#pending.add(error);
    else if (id === VIVID_CID.Disconnect) this.isUnplugged = true;
    else for (const queue of this.queues) if (queue.started) queue.fail();
  }

  /** Whether an error is to happen now; it then does not happen again. */
  takeError(error: OneShot): boolean {
    return this.#pending.delete(error);
  }

  /** An error of the driver, if it is to happen now. @throws ErrnoError EINVAL */
  maybeFail(error: OneShot, op: string): void {
    if (this.takeError(error)) throw vb2Error('EINVAL', op, 'an error has been injected');
  }

  /** Whether chance drops this frame. */
  dropsFrame(): boolean {
    const percentage = this.get(VIVID_CID['Percentage of Dropped Buffers']);
    return percentage > 0 && this.#random.integer(100) < percentage;
  }

  /** @param frame since the start of streaming */
  sequenceOf(frame: number): number {
    const start = this.get(VIVID_CID['Wrap Sequence Number']) * SEQUENCE_BEFORE_WRAP;
    return (frame - start + 2 ** 32) % 2 ** 32;
  }

  /** What is added to time stamps while a stream lasts that starts now. */
  timeOffsetNs(nowNs: number): bigint {
    const wrap = TIME_WRAPS_NS[this.get(VIVID_CID['Wrap Timestamp'])];
    return wrap === 0n ? 0n : wrap - BigInt(nowNs);
  }

  opened(): void {
    this.#openFiles += 1;
  }

  /** With its last open file, an unplugged device is plugged in again. Source: vivid_fop_release. */
  closed(): void {
    this.#openFiles -= 1;
    if (this.#openFiles === 0) this.isUnplugged = false;
  }
}
