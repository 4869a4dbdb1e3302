/** A process that shows pictures on a display, for tests of what recorded cases cannot say. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { Process } from '@dmabuf-lab/uapi';
import * as abi from '@dmabuf-lab/uapi/abi';

export const BOCHS = '/dev/dri/card1';
export const VIRTIO_GPU = '/dev/dri/card2';
export const VGEM = '/dev/dri/card0';
export const WIDTH = 1024;
export const HEIGHT = 768;

/** Ids of properties, as a kernel gives them. */
export const ID = { FB: 17, IN_FENCE: 18, OUT_FENCE: 19, CRTC: 20, ACTIVE: 22, MODE: 23, SRC_X: 9, DPMS: 2 } as const;

export type Setting = readonly [
  object: 'plane' | 'crtc' | 'connector' | number,
  property: number,
  value: number | bigint,
];

/** What came of an atomic ioctl. */
export interface AtomicOutcome {
  /** An errno, or undefined when it succeeded. */
  readonly code: string | undefined;
  /** What stands where the descriptor of the out-fence was to be. */
  readonly outFence: number;
}

/** Nothing has been written there. */
export const UNTOUCHED = -7;
/** In a value: the address of the place for the out-fence. */
export const OUT = Symbol('out');

export class Display {
  readonly #ids: Record<'plane' | 'crtc' | 'connector', number> = { plane: 0, crtc: 0, connector: 0 };

  private constructor(
    readonly process: Process,
    readonly fd: number,
  ) {}

  /** Opens a display as an atomic client. */
  static *open(process: Process, path: string): Task<Display> {
    const display = new Display(process, process.open(path, abi.O.RDWR | abi.O.CLOEXEC));
    yield* display.command(abi.DRM_IOCTL_SET_CLIENT_CAP, {
      capability: BigInt(abi.DRM_CLIENT_CAP.ATOMIC),
      value: 1n,
    });
    const words = new Uint8Array(12);
    const at = process.user.put(words);
    yield* display.command(abi.DRM_IOCTL_MODE_GETRESOURCES, {
      crtc_id_ptr: at,
      count_crtcs: 1,
      connector_id_ptr: at + 4n,
      count_connectors: 1,
    });
    yield* display.command(abi.DRM_IOCTL_MODE_GETPLANERESOURCES, { plane_id_ptr: at + 8n, count_planes: 1 });
    const view = new DataView(words.buffer);
    display.#ids.crtc = view.getUint32(0, true);
    display.#ids.connector = view.getUint32(4, true);
    display.#ids.plane = view.getUint32(8, true);
    return display;
  }

  id(object: 'plane' | 'crtc' | 'connector'): number {
    return this.#ids[object];
  }

  command<T>(command: abi.IoctlCommand<T>, value: Partial<T>): Task<T> {
    return this.process.command(this.fd, command, value);
  }

  /** @returns the errno, or undefined */
  *refusal<T>(command: abi.IoctlCommand<T>, value: Partial<T>): Task<string | undefined> {
    try {
      yield* this.command(command, value);
      return undefined;
    } catch (error) {
      if (error instanceof ErrnoError) return error.code;
      throw error;
    }
  }

  /** A framebuffer of the size of the display with a buffer of its own. @returns ids of both */
  *framebuffer(): Task<{ readonly fb: number; readonly handle: number }> {
    const { handle, pitch } = yield* this.command(abi.DRM_IOCTL_MODE_CREATE_DUMB, {
      width: WIDTH,
      height: HEIGHT,
      bpp: 32,
    });
    const { fb_id: fb } = yield* this.command(abi.DRM_IOCTL_MODE_ADDFB, {
      width: WIDTH,
      height: HEIGHT,
      pitch,
      bpp: 32,
      depth: 24,
      handle,
    });
    return { fb, handle };
  }

  /** A blob with the mode of that size. @returns its id */
  *modeBlob(): Task<number> {
    const room = 64;
    const bytes = new Uint8Array(room * abi.drmModeModeinfo.size);
    const { count_modes } = yield* this.command(abi.DRM_IOCTL_MODE_GETCONNECTOR, {
      connector_id: this.id('connector'),
      modes_ptr: this.process.user.put(bytes),
      count_modes: room,
    });
    for (let i = 0; i < count_modes; i += 1) {
      const one = bytes.slice(i * abi.drmModeModeinfo.size, (i + 1) * abi.drmModeModeinfo.size);
      const { hdisplay, vdisplay } = abi.drmModeModeinfo.decode(one);
      if (hdisplay !== WIDTH || vdisplay !== HEIGHT) continue;
      const data = this.process.user.put(one);
      return (yield* this.command(abi.DRM_IOCTL_MODE_CREATEPROPBLOB, { data, length: one.length })).blob_id;
    }
    throw new Error('the display has no such mode');
  }

  /** @param settings the value may be the symbol OUT, for the address of the out-fence */
  *atomic(
    flags: number,
    ...settings: readonly (Setting | readonly ['crtc', number, typeof OUT])[]
  ): Task<AtomicOutcome> {
    const place = new DataView(new ArrayBuffer(4));
    place.setInt32(0, UNTOUCHED, true);
    const outAddress = this.process.user.put(new Uint8Array(place.buffer));
    const objects = settings.map(([object]) => (typeof object === 'number' ? object : this.id(object)));
    const values = settings.map(([, , value]) => BigInt.asUintN(64, value === OUT ? outAddress : BigInt(value)));
    const put = (words: Uint32Array | BigUint64Array): bigint =>
      this.process.user.put(new Uint8Array(words.buffer, 0, words.byteLength));
    const code = yield* this.refusal(abi.DRM_IOCTL_MODE_ATOMIC, {
      flags,
      count_objs: settings.length,
      objs_ptr: put(Uint32Array.from(objects)),
      count_props_ptr: put(Uint32Array.from(settings, () => 1)),
      props_ptr: put(Uint32Array.from(settings, ([, property]) => property)),
      prop_values_ptr: put(BigUint64Array.from(values)),
      user_data: 7n,
    });
    return { code, outFence: place.getInt32(0, true) };
  }

  /** Turns everything on with one framebuffer. */
  *turnOn(fb: number): Task<AtomicOutcome> {
    const blob = yield* this.modeBlob();
    return yield* this.atomic(
      abi.DRM_MODE_ATOMIC.ALLOW_MODESET,
      ['connector', ID.CRTC, this.id('crtc')],
      ['crtc', ID.MODE, blob],
      ['crtc', ID.ACTIVE, 1],
      ['plane', ID.FB, fb],
      ['plane', ID.CRTC, this.id('crtc')],
      ...[0, 0, WIDTH * 65536, HEIGHT * 65536, 0, 0, WIDTH, HEIGHT].map(
        (value, i): Setting => ['plane', ID.SRC_X + i, value],
      ),
    );
  }

  /** What is shown. */
  *shown(): Task<{ readonly fb: number; readonly hasMode: boolean }> {
    const data = yield* this.command(abi.DRM_IOCTL_MODE_GETCRTC, { crtc_id: this.id('crtc') });
    return { fb: data.fb_id, hasMode: data.mode_valid === 1 };
  }

  /** The next event. @returns undefined when there is none within a while */
  *event(timeoutMs = 100): Task<ReturnType<typeof abi.drmEventVblank.decode> | undefined> {
    const [ready] = yield* this.process.poll([{ fd: this.fd, events: abi.POLL.IN }], timeoutMs);
    if (ready === 0) return undefined;
    return abi.drmEventVblank.decode(yield* this.process.read(this.fd, abi.drmEventVblank.size));
  }
}

/** A sync file that is signalled only when it is told to be. */
export class ManualFence {
  private constructor(
    private readonly process: Process,
    private readonly vgem: number,
    private readonly number: number,
    readonly syncFile: number,
  ) {}

  static *make(process: Process): Task<ManualFence> {
    const vgem = process.open(VGEM, abi.O.RDWR);
    const { handle } = yield* process.command(vgem, abi.DRM_IOCTL_MODE_CREATE_DUMB, { width: 1, height: 1, bpp: 32 });
    const { out_fence } = yield* process.command(vgem, abi.DRM_IOCTL_VGEM_FENCE_ATTACH, {
      handle,
      flags: abi.VGEM_FENCE.WRITE,
    });
    const { fd: buffer } = yield* process.command(vgem, abi.DRM_IOCTL_PRIME_HANDLE_TO_FD, { handle });
    const { fd } = yield* process.command(buffer, abi.DMA_BUF_IOCTL_EXPORT_SYNC_FILE, { flags: abi.DMA_BUF_SYNC.RW });
    return new ManualFence(process, vgem, out_fence, fd);
  }

  *signal(): Task<void> {
    yield* this.process.command(this.vgem, abi.DRM_IOCTL_VGEM_FENCE_SIGNAL, { fence: this.number });
  }

  /** Lets a buffer of a display have it as the fence of a writer. */
  *attachTo(display: Display, handle: number): Task<void> {
    const { fd } = yield* display.command(abi.DRM_IOCTL_PRIME_HANDLE_TO_FD, { handle });
    yield* this.process.command(fd, abi.DMA_BUF_IOCTL_IMPORT_SYNC_FILE, {
      flags: abi.DMA_BUF_SYNC.WRITE,
      fd: this.syncFile,
    });
  }
}
