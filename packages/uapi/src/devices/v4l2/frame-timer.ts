/** When frames begin: a kernel thread of vivid, on the time of the model. Source: vivid_thread_vid_cap, v6.12. */
import { type Rate, tickTime } from '@dmabuf-lab/core/base';
import type { SimulatedKernel } from '../../kernel/kernel.js';

/** The thread has to be woken before its first frame. */
const WAKE_UP_NS = 100_000;

export interface FrameTimerOptions {
  readonly name: string;
  /** Frames a second; asked before each. */
  readonly rate: () => Rate;
  /** @param frame since the start, those that were missed included */
  readonly tick: (frame: number) => void;
}

export class FrameTimer {
  #cancel: (() => void) | undefined;
  #startNs = 0;
  /** Frames before the period last changed. */
  #before = 0;
  #frame = 0;
  #resync = false;

  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly options: FrameTimerOptions,
  ) {}

  get isRunning(): boolean {
    return this.#cancel !== undefined;
  }

  start(): void {
    this.#startNs = this.kernel.now() + WAKE_UP_NS;
    this.#before = this.#frame = 0;
    this.#resync = false;
    this.#schedule(0);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The period has changed: from the next frame on. Source: cap_seq_resync. */
  resync(): void {
    this.#resync = true;
  }

  /** @param sinceStart frames since the period last changed */
  #schedule(sinceStart: number): void {
    const { name, rate } = this.options;
    const timeNs = this.#startNs + tickTime(sinceStart, rate());
    this.#cancel = this.kernel.at(timeNs, name, () => this.#run(sinceStart));
  }

  #run(sinceStart: number): void {
    let frames = sinceStart;
    if (this.#resync) {
      this.#resync = false;
      this.#startNs = this.kernel.now();
      this.#before = this.#frame + 1;
      frames = 0;
    }
    this.#frame = this.#before + frames;
    this.#schedule(frames + 1);
    this.options.tick(this.#frame);
  }
}
