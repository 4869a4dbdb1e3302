/** What an encoder takes and gives: it is asked by its driver's plan, which says what it cannot do. */
import { type AnyDriver, type FrameFormat, frameFormat, type PixelFourcc, planDriver } from '@dmabuf-lab/core/driver';
import type { FrameInterval } from '../../v4l2/video-node.js';
import { onlyPort, unfit } from './video-device.js';

const PIXEL_FOURCCS: readonly PixelFourcc[] = ['NV12', 'AB24'];
const DEFAULT_SIZE = { width: 640, height: 480 };
const DEFAULT_RATE = { num: 30, den: 1 };
/** Frames a second that codecs take. */
const FASTEST = { numerator: 1, denominator: 1000 };
const SLOWEST = { numerator: 10, denominator: 1 };
/** Pictures lie in rows of so many bytes. Source: `frameFormat`. */
const STRIDE_ALIGN = 64;
/** Sizes that are tried around the one that is asked for: so many times twice as small or as large. */
const HALVINGS = 12;
const ALIGNMENTS = [1, 2, 4, 8, 16, 32, 64];

/** A format of pictures, and what they become. */
export interface CoderFormats {
  readonly source: FrameFormat;
  readonly target: FrameFormat;
}

export class CoderPlan {
  /** Pictures that the driver takes. */
  readonly fourccs: readonly PixelFourcc[];
  readonly inputPort: string;
  readonly outputPort: string;

  /** @throws ErrnoError EINVAL when the driver encodes nothing into H.264 */
  constructor(
    private readonly driver: AnyDriver,
    private readonly parameters: unknown,
  ) {
    this.inputPort = onlyPort(driver, 'in');
    this.outputPort = onlyPort(driver, 'out');
    this.fourccs = PIXEL_FOURCCS.filter((fourcc) => this.#nearest(fourcc, DEFAULT_SIZE) !== undefined);
    if (this.fourccs.length === 0) throw unfit(driver, 'it makes H.264 of no picture');
  }

  get initial(): CoderFormats {
    return this.nearest(this.fourccs[0], DEFAULT_SIZE, DEFAULT_RATE, undefined);
  }

  /**
   * The nearest that the device can do: of sizes that it refuses, those are tried that lie in coarser steps, and then others
   * that are smaller or larger by powers of two.
   *
   * @param strideBytes asked for; taken when rows fit and it is a multiple of 64
   */
  nearest(
    fourcc: PixelFourcc,
    size: { readonly width: number; readonly height: number },
    rate: FrameFormat['rate'],
    strideBytes: number | undefined,
  ): CoderFormats {
    const { widthPixels, heightPixels } = this.#nearest(fourcc, size) ?? this.initial.source;
    const source = withStride(frameFormat(fourcc, widthPixels, heightPixels, rate), strideBytes ?? 0);
    return { source, target: this.#targetOf(source) ?? this.initial.target };
  }

  #nearest(fourcc: PixelFourcc, size: { readonly width: number; readonly height: number }): FrameFormat | undefined {
    const width = Math.max(1, size.width);
    const height = Math.max(1, size.height);
    for (let step = 0; step <= HALVINGS; step += 1) {
      for (const scale of [2 ** -step, 2 ** step]) {
        for (const align of ALIGNMENTS) {
          const aligned = (pixels: number): number => Math.max(1, Math.floor((pixels * scale) / align)) * align;
          const format = frameFormat(fourcc, aligned(width), aligned(height), DEFAULT_RATE);
          if (this.#targetOf(format) !== undefined) return format;
        }
      }
    }
    return undefined;
  }

  /** The bitstream of pictures; undefined where the driver cannot take them. */
  #targetOf(source: FrameFormat): FrameFormat | undefined {
    const { outputs, problems } = planDriver(this.driver, this.parameters, { [this.inputPort]: source });
    const target = outputs[this.outputPort];
    return problems.length === 0 && target?.fourcc === 'H264' ? target : undefined;
  }
}

/** Rows further apart than they need to be. */
function withStride(format: FrameFormat, strideBytes: number): FrameFormat {
  const isTaken =
    strideBytes > format.strideBytes && strideBytes <= 4 * format.strideBytes && strideBytes % STRIDE_ALIGN === 0;
  if (!isTaken) return format;
  return { ...format, strideBytes, sizeBytes: (format.sizeBytes / format.strideBytes) * strideBytes };
}

/** The interval that a codec can do; one without meaning is the usual one. */
export function nearestInterval({ numerator, denominator }: FrameInterval): FrameInterval {
  if (numerator === 0 || denominator === 0) return { numerator: DEFAULT_RATE.den, denominator: DEFAULT_RATE.num };
  const seconds = numerator / denominator;
  if (seconds < FASTEST.numerator / FASTEST.denominator) return FASTEST;
  return seconds > SLOWEST.numerator / SLOWEST.denominator ? SLOWEST : { numerator, denominator };
}
