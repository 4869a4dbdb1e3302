/** A kernel with vivid nodes on a clock that only moves when everybody waits, for tests of video nodes. */
import { AtomicWords, type Park, type Task, TimePark, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import * as uapi from '@dmabuf-lab/uapi';

/** Runs tasks by turns; when none can go on, time goes on to the next that waits for it. */
class TestHost implements uapi.KernelHost {
  readonly words = new AtomicWords(new SharedArrayBuffer(64));
  #nowNs = 0;
  #tasks: { readonly task: Task<void>; park: Park | undefined }[] = [];
  readonly clock = { now: (): number => this.#nowNs };

  spawn(_name: string, task: Task<void>): void {
    this.#tasks.push({ task, park: undefined });
  }

  /** Runs until a task is done; what others still wait for stays as it is. */
  run<T>(main: Task<T>): T {
    const done: T[] = [];
    function* kept(): Task<void> {
      done.push(yield* main);
    }
    this.spawn('main', kept());
    while (done.length === 0) this.#turn();
    return done[0];
  }

  #turn(): void {
    const ready = this.#tasks.find(({ park }) => this.#isReady(park));
    if (ready === undefined) {
      const next = Math.min(...this.#tasks.map(({ park }) => timeOf(park)));
      if (!Number.isFinite(next)) throw new Error('everybody waits, and for no time');
      this.#nowNs = next;
      return;
    }
    const woken = !(ready.park instanceof WordPark) || this.words.load(ready.park.word) !== ready.park.expected;
    const { done, value } = ready.task.next(woken);
    if (done) this.#tasks = this.#tasks.filter((one) => one !== ready);
    else ready.park = value;
  }

  #isReady(park: Park | undefined): boolean {
    if (park === undefined || timeOf(park) <= this.#nowNs) return true;
    return park instanceof WordPark && this.words.load(park.word) !== park.expected;
  }
}

const timeOf = (park: Park | undefined): number =>
  park instanceof WordPark || park instanceof TimePark ? park.untilNs : Number.POSITIVE_INFINITY;

/** One process on a machine with a vivid device; calls are run to their end. */
export class VideoBench {
  readonly host = new TestHost();
  /** Pages in use. */
  pagesInUse = 0;
  readonly kernel: uapi.SimulatedKernel;
  readonly process: uapi.Process;

  constructor(options: { readonly isMultiplanar?: boolean; readonly seed?: number } = {}) {
    const allocate = (count: number): uapi.PageRun => {
      this.pagesInUse += count;
      const pages = Array.from({ length: count }, () => new Uint8Array(uapi.PAGE_BYTES));
      return { pages, free: () => (this.pagesInUse -= count) };
    };
    this.kernel = new uapi.SimulatedKernel(this.host, { changedWord: wordIndex(0), pages: { allocate } });
    const { isMultiplanar = false, seed = 1 } = options;
    const { capture } = uapi.addVividNodes(this.kernel, { number: 0, isMultiplanar, seed });
    uapi.addHeapNode(this.kernel, { name: 'system', scattered: true, allocate });
    const picture = { width: 320, height: 180, pixelformat: uapi.v4l2Fourcc('YUYV'), field: 0, colorspace: 0 };
    capture.setFormat({ ...picture, planes: [], planeCount: 0 });
    this.process = new uapi.Process(this.kernel);
  }

  open(path = '/dev/video0', flags: number = uapi.O.RDWR | uapi.O.NONBLOCK): number {
    return this.process.open(path, flags);
  }

  /** An ioctl with a structure. @returns what the kernel leaves in it */
  command<T>(fd: number, command: uapi.IoctlCommand<T>, value: Partial<T>): T {
    return this.host.run(this.process.command(fd, command, value));
  }

  ioctl(fd: number, { number }: uapi.IoctlCommand): number {
    return this.host.run(this.process.ioctl(fd, number, 0n));
  }

  poll(fd: number, events: number, timeoutMs = 1000): number {
    return this.host.run(this.process.poll([{ fd, events }], timeoutMs))[0];
  }

  press(fd: number, name: keyof typeof uapi.VIVID_CID, value = 1): void {
    this.command(fd, uapi.VIDIOC_S_CTRL, { id: uapi.VIVID_CID[name], value });
  }

  reqbufs(fd: number, count: number, memory: number = uapi.V4L2_MEMORY.MMAP): number {
    return this.command(fd, uapi.VIDIOC_REQBUFS, { type: CAPTURE, memory, count }).count;
  }

  queue(fd: number, index: number, more: Partial<ReturnType<typeof uapi.v4l2Buffer.decode>> = {}): number {
    const memory = uapi.V4L2_MEMORY.MMAP;
    return this.command(fd, uapi.VIDIOC_QBUF, { type: CAPTURE, memory, index, ...more }).flags;
  }

  query(fd: number, index: number): ReturnType<typeof uapi.v4l2Buffer.decode> {
    return this.command(fd, uapi.VIDIOC_QUERYBUF, { type: CAPTURE, index });
  }

  dmaBuf(fd: number): uapi.DmaBufFile {
    const file = this.process.fds.file(fd, 'test');
    if (file instanceof uapi.DmaBufFile) return file;
    throw new TypeError(`descriptor ${fd} is no dma-buf`);
  }

  /** Waits for a buffer, and takes it. */
  dequeue(fd: number): ReturnType<typeof uapi.v4l2Buffer.decode> {
    this.poll(fd, uapi.POLL.IN);
    return this.command(fd, uapi.VIDIOC_DQBUF, { type: CAPTURE });
  }

  stream(fd: number, on: boolean): void {
    this.command(fd, on ? uapi.VIDIOC_STREAMON : uapi.VIDIOC_STREAMOFF, { value: CAPTURE });
  }
}

export const CAPTURE = uapi.V4L2_BUF_TYPE.VIDEO_CAPTURE;
