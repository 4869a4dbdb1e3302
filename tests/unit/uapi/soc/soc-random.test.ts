/** Random programs over GPU and display: whatever they do, all ends, nothing is left, and flips are at vblanks. */
import { firstTickAt, isErrno, RandomStream, sleepUntil, type Task, tickTime } from '@dmabuf-lab/core/base';
import {
  addFramebuffer,
  allocateFromHeap,
  attachVgemFence,
  type DmaBufFile,
  type OpenDisplay,
  openDisplay,
  openDrm,
  openHeap,
  Process,
  primeFdToHandle,
  type RenderJobRequest,
  readFlip,
  readSyncFile,
  removeFramebuffer,
  showFramebuffer,
  submitRender,
  turnOffDisplay,
  turnOnDisplay,
} from '@dmabuf-lab/uapi';
import test, { type ExecutionContext } from 'ava';
import { addDisplay, addGpu, CARD, GPU, type Machine, MS, onMachine } from './drm-machine.js';

const VGEM = '/dev/dri/card0';
const REFRESH = { num: 60, den: 1 };
const [WIDTH, HEIGHT, STRIDE] = [64, 32, 256];
const [STEPS, PROGRAMS] = [60, 40];
const SEED = Number(process.env.TEST_SEED ?? 1);

/** A process with buffers that all of its devices know. */
class Player {
  readonly outFences: number[] = [];
  readonly files: DmaBufFile[] = [];
  readonly #gpuHandles: number[] = [];
  readonly #vgemHandles: number[] = [];
  readonly #displayHandles: number[] = [];
  readonly #framebuffers: number[] = [];
  /** Events that have been asked for and not read. */
  #flips = 0;

  private constructor(
    private readonly t: ExecutionContext,
    readonly process: Process,
    private readonly gpu: number,
    private readonly vgem: number,
    private readonly display: OpenDisplay,
    private readonly random: RandomStream,
  ) {}

  static *open(t: ExecutionContext, process: Process, random: RandomStream): Task<Player> {
    const gpu = openDrm(process, GPU);
    const player = new Player(t, process, gpu, openDrm(process, VGEM), yield* openDisplay(process, CARD), random);
    for (let i = 0; i < 6; i += 1) yield* player.#addBuffer();
    return player;
  }

  *#addBuffer(): Task<void> {
    const { process, gpu, vgem, display } = this;
    const fd = yield* allocateFromHeap(process, openHeap(process, 'system'), STRIDE * HEIGHT);
    this.files.push(process.fds.file(fd, 'test') as DmaBufFile);
    this.#gpuHandles.push(yield* primeFdToHandle(process, gpu, fd));
    this.#vgemHandles.push(yield* primeFdToHandle(process, vgem, fd));
    this.#displayHandles.push(yield* primeFdToHandle(process, display.fd, fd));
    this.#framebuffers.push(yield* this.#framebuffer(this.#framebuffers.length));
    process.close(fd);
  }

  #framebuffer(i: number): Task<number> {
    const layout = { handle: this.#displayHandles[i], widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: STRIDE };
    return addFramebuffer(this.process, this.display, layout);
  }

  /** Another framebuffer of the same buffer, whatever the screen shows. */
  *#exchangeFramebuffer(i: number): Task<void> {
    yield* removeFramebuffer(this.process, this.display, this.#framebuffers[i]);
    this.#framebuffers[i] = yield* this.#framebuffer(i);
  }

  /** Any call; one that is refused has to say so by an errno that it may have. */
  *step(): Task<void> {
    const { process, display } = this;
    const one = <T>(list: readonly T[]): T => list[this.random.integer(list.length)];
    switch (this.random.integer(8)) {
      case 0:
      case 1:
      case 2:
        return yield* this.#submit();
      case 3:
        return yield* maybe(
          attachVgemFence(process, this.vgem, one(this.#vgemHandles), one(['read', 'write'])),
          'EBUSY',
        );
      case 4:
        return yield* this.#show(one(this.#framebuffers));
      case 5:
        return yield* maybe(
          this.random.integer(3) === 0
            ? turnOffDisplay(process, display)
            : turnOnDisplay(process, display, one(this.#framebuffers)),
        );
      case 6:
        return yield* this.#exchangeFramebuffer(this.random.integer(this.#framebuffers.length));
      default:
        return yield* sleepUntil(process.kernel.now() + this.random.integer(40 * MS), 'a while');
    }
  }

  *#submit(): Task<void> {
    const handle = (): number => this.#gpuHandles[this.random.integer(this.#gpuHandles.length)];
    const inFence = this.outFences[this.random.integer(4)];
    const job: RenderJobRequest = {
      source: { handle: handle(), format: 'NV12', widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: STRIDE / 2 },
      target: { handle: handle(), strideBytes: STRIDE },
      implicit: this.random.integer(3) > 0,
      outFence: true,
      ...(inFence !== undefined && { inFence }),
    };
    try {
      const { outFence } = yield* submitRender(this.process, this.gpu, job);
      this.outFences.unshift(outFence as number);
    } catch (error) {
      if (!isErrno(error, 'EINVAL') || job.source.handle !== job.target?.handle) throw error;
    }
  }

  *#show(framebuffer: number): Task<void> {
    const inFence = this.outFences[this.random.integer(4)];
    const how = { event: 1n, ...(inFence !== undefined && { inFence }) };
    try {
      yield* showFramebuffer(this.process, this.display, framebuffer, how);
      this.#flips += 1;
    } catch (error) {
      if (!isErrno(error, 'EBUSY', 'EINVAL')) throw error;
    }
    if (this.#flips === 0 || this.random.integer(2) === 0) return;
    this.#flips -= 1;
    const { timeNs } = yield* readFlip(this.process, this.display);
    const vblankNs = tickTime(firstTickAt(timeNs, REFRESH), REFRESH);
    this.t.is(timeNs, Math.floor(vblankNs / 1000) * 1000);
  }
}

function* maybe(call: Task<unknown>, ...codes: Parameters<typeof isErrno>[1][]): Task<void> {
  try {
    yield* call;
  } catch (error) {
    if (!isErrno(error, ...codes)) throw error;
  }
}

function* play(t: ExecutionContext, { process, kernel, host }: Machine, seed: number): Task<void> {
  const random = new RandomStream(seed, 'program');
  const gpu = addGpu(host, { service: { uniform: ['1ms', '40ms'] }, servers: 1 + random.integer(3) });
  const display = addDisplay(host, {}, { widthPixels: WIDTH, heightPixels: HEIGHT });
  const player = yield* Player.open(t, process, random);
  for (let i = 0; i < STEPS; i += 1) yield* player.step();
  const watcher = new Process(kernel);
  const fences = player.outFences.map((fd) => process.pass(fd, watcher));
  if (random.integer(2) === 0) process.killedAtNs = kernel.now();
  process.exit();
  gpu.stop?.();
  display.stop?.();
  const held = (): number[] => player.files.map(({ references }) => references).filter((count) => count !== 0);
  const isOver = (): boolean => !gpu.isRunning && !display.isRunning && held().length === 0;
  yield* kernel.wait(() => isOver() || undefined, kernel.now() + 60_000 * MS, 'the end of all');
  t.false(gpu.isRunning || display.isRunning, 'the drivers have ended');
  for (const fd of fences) t.not((yield* readSyncFile(watcher, fd)).status, 0, 'a fence is never left pending');
  t.deepEqual(held(), [], 'nobody holds a buffer');
  t.deepEqual(kernel.dmaBufRules.findings, []);
  watcher.exit();
}

for (let i = 0; i < PROGRAMS; i += 1) {
  const seed = SEED + i;
  test(`a random program over GPU and display, seed ${seed}, leaves nothing behind`, (t) => {
    onMachine((machine) => play(t, machine, seed), 'stamp');
  });
}
