/**
 * What a display's driver shows: it runs while the CRTC is active, and gets each picture that is changed to.
 *
 * Source: drm_atomic_helper_commit_tail, drm_atomic_helper_wait_for_flip_done, v6.12.
 */
import type { Nanoseconds, Rate, Task } from '@dmabuf-lab/core/base';
import { type DeviceStatistics, type FrameFormat, type Ports, planDriver } from '@dmabuf-lab/core/driver';
import { PAGE_BYTES } from '../../../abi/fcntl.js';
import { pagesFor } from '../../../kernel/pages.js';
import type { CommitTail } from '../../drm/kms/display-driver.js';
import type { Framebuffer } from '../../drm/kms/framebuffers.js';
import type { Mode } from '../../drm/kms/mode.js';
import { needsModeset } from '../../drm/kms/pipe-state.js';
import type { NodeContextParts } from '../node-context.js';
import { NodeFrame } from '../node-frame.js';
import { contextParts, type SocDeviceOptions, type SocHost } from '../soc-device.js';
import { DisplayContext } from './display-context.js';
import { DisplayInput, type Presentation } from './display-input.js';
import { inputOf, runDriver } from './driver-thread.js';

/** A driver at work, from the time the CRTC is turned on until it is turned off. */
interface ScreenRun {
  readonly input: DisplayInput;
  readonly mode: Mode;
  hasEnded: boolean;
}

export class DisplayScreen {
  readonly #parts: NodeContextParts;
  readonly #port: string;
  #run: ScreenRun | undefined;
  #isStopped = false;
  #vblanks = 0;
  #pictures = 0;

  /** @throws ErrnoError EINVAL for a driver without an input */
  constructor(
    host: SocHost,
    private readonly options: SocDeviceOptions,
    private readonly refresh: Rate,
  ) {
    this.#port = inputOf(options.driver, 'addDisplayNode');
    this.#parts = contextParts(host, options.name, options.statistics);
  }

  get statistics(): DeviceStatistics {
    return this.#parts.statistics;
  }

  /** While the CRTC was active. */
  get vblanks(): number {
    return this.#vblanks;
  }

  get isRunning(): boolean {
    return this.#run !== undefined && !this.#run.hasEnded;
  }

  /** Why the driver cannot show a mode; empty when it can. */
  problems(mode: Mode): readonly string[] {
    const format = formatOf(mode, mode.hdisplay * 4, this.refresh);
    const { driver, parameters } = this.options;
    return planDriver(driver, parameters, { [this.#port]: format }).problems.map(({ message }) => message);
  }

  /** Asks the driver to end; from then on a change is shown to nobody, and at once. */
  stop(): void {
    this.#isStopped = true;
    this.#run?.input.end();
  }

  /** Carries out a change, and returns when it is on the screen. */
  *commitTail({ change, fences, requestedNs }: CommitTail): Task<void> {
    const { next } = change;
    const isModeset = needsModeset(change);
    if (!next.isActive || isModeset) yield* this.#turnOff();
    if (this.#isStopped || !next.isActive || next.mode === undefined || next.framebuffer === undefined) return;
    const isNew = this.#run === undefined;
    const run = this.#run ?? this.#turnOn(next.mode.mode);
    const error = Math.max(0, ...fences.map(({ status }) => -status));
    if (isNew || change.touchesPlane) yield* this.#present(run, next.framebuffer, requestedNs, error);
    else yield* run.input.nextVblank(() => run.hasEnded);
  }

  #turnOn(mode: Mode): ScreenRun {
    const { kernel, statistics, services } = this.#parts;
    const format = formatOf(mode, mode.hdisplay * 4, this.refresh);
    const input = new DisplayInput({ kernel, statistics, refresh: this.refresh }, format);
    const run: ScreenRun = { input, mode, hasEnded: false };
    this.#run = run;
    services.spawn('driver', this.#drive(run));
    return run;
  }

  *#drive(run: ScreenRun): Task<void> {
    const { driver, parameters } = this.options;
    const ports = { [this.#port]: run.input } as unknown as Ports<Record<string, never>>;
    const count = (): void => {
      this.#vblanks += 1;
    };
    try {
      yield* runDriver(driver, new DisplayContext(this.#parts, parameters, ports, run.input, count));
    } finally {
      run.hasEnded = true;
      run.input.abandon();
      this.#parts.kernel.changed();
    }
  }

  /** Lets the driver end, at a vblank, and leave its pictures. */
  *#turnOff(): Task<void> {
    const run = this.#run;
    if (run === undefined) return;
    run.input.end();
    const look = (): true | undefined => (run.hasEnded ? true : undefined);
    yield* this.#parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'the last vblank');
    this.#run = undefined;
  }

  *#present(run: ScreenRun, framebuffer: Framebuffer, requestedNs: Nanoseconds, error: number): Task<void> {
    const { kernel } = this.#parts;
    if (run.hasEnded) return;
    const frame = this.#frameOf(run.mode, framebuffer, requestedNs);
    frame.error = error;
    const presentation: Presentation = { frame, requestedNs, readyNs: kernel.now(), isOver: false };
    run.input.push(presentation);
    const look = (): true | undefined => (presentation.isOver ? true : undefined);
    yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'a vblank');
  }

  /** A picture that no device has drawn is numbered as it comes, from 1. */
  #frameOf(mode: Mode, { command, buffers }: Framebuffer, requestedNs: Nanoseconds): NodeFrame {
    const format = formatOf(mode, command.pitches[0], this.refresh);
    const first = command.offsets[0] / PAGE_BYTES;
    const pages = buffers[0].devicePages('read').slice(first, first + pagesFor(format.sizeBytes));
    const shared = { files: buffers[0].sharedAs, offsetBytes: command.offsets[0] };
    const frame = new NodeFrame({ format, pages, contents: this.#parts.contents, shared });
    this.#pictures += 1;
    if (frame.content === undefined) frame.describe(this.#pictures, requestedNs);
    return frame;
  }
}

/** What the screen shows of a framebuffer: as much as the mode has. */
function formatOf({ hdisplay, vdisplay }: Mode, strideBytes: number, rate: Rate): FrameFormat {
  const sizeBytes = strideBytes * vdisplay;
  return { fourcc: 'AB24', widthPixels: hdisplay, heightPixels: vdisplay, strideBytes, sizeBytes, rate };
}
