/**
 * The negotiation once more, naively: every format, modifier and combination of options, every stride from the smallest.
 *
 * Written from the rules alone and for small images; it shares only the table of formats with the solver.
 */
import {
  type FormatSupport,
  type ImageRequest,
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRules,
  type PixelFormat,
  pixelFormatOf,
} from '@dmabuf-lab/core/constraints';

export interface ModelAnswer {
  /** Optional participants left out, and the cost of the best layout in millionths; undefined when there is none. */
  readonly best: { readonly leftOut: number; readonly cost: number } | undefined;
}

interface Part {
  readonly option: LayoutOption;
  readonly support: FormatSupport | undefined;
  readonly rules: readonly LayoutRules[];
}

const MAX_STRIDE = 9600;
const ceilTo = (value: number, step: number): number => Math.ceil(value / step) * step;

export function modelNegotiation(image: ImageRequest, participants: readonly LayoutConstraints[]): ModelAnswer {
  let best: ModelAnswer['best'];
  for (const name of image.formats ?? []) {
    const format = pixelFormatOf(name);
    if (format === undefined) throw new Error(name);
    for (const modifier of ['LINEAR', 'TILED', 'INVALID']) {
      for (const choice of combinations(participants)) {
        const leftOut = choice.filter((one) => one === undefined).length;
        const cost = costOf(
          image,
          format,
          modifier,
          choice.filter((one) => one !== undefined),
        );
        if (cost === undefined) continue;
        if (best === undefined || leftOut < best.leftOut || (leftOut === best.leftOut && cost < best.cost)) {
          best = { leftOut, cost };
        }
      }
    }
  }
  return { best };
}

function combinations(participants: readonly LayoutConstraints[]): (LayoutOption | undefined)[][] {
  return participants.reduce<(LayoutOption | undefined)[][]>(
    (all, c) => {
      const own: (LayoutOption | undefined)[] = c.optional ? [...c.options, undefined] : [...c.options];
      return all.flatMap((before) => own.map((option) => [...before, option]));
    },
    [[]],
  );
}

function costOf(
  image: ImageRequest,
  format: PixelFormat,
  modifier: string,
  options: readonly LayoutOption[],
): number | undefined {
  const parts: Part[] = [];
  for (const option of options) {
    const support = option.formats?.find((one) => one.format === format.name);
    if (option.formats !== undefined && support === undefined) return undefined;
    if (support !== undefined && !takes(support, option, modifier)) return undefined;
    parts.push({ option, support, rules: [option.rules, support?.rules].filter((one) => one !== undefined) });
  }
  const domains = new Set(options.map((option) => option.implicitDomain).filter((domain) => domain !== undefined));
  if (modifier === 'INVALID' && domains.size > 1) return undefined;
  const rules = parts.flatMap((part) => part.rules);
  if (!rules.every((one) => sizeOk(one, image) && (!one.equalPlaneStride || equalStrides(format)))) return undefined;
  if (!countsOk(options)) return undefined;
  const pixels = payloadOf(image, format);
  const most = Math.min(MAX_STRIDE, ...rules.map((one) => one.maxStrideBytes ?? MAX_STRIDE));
  let best: number | undefined;
  const fixed = parts.reduce((sum, { option, support }) => sum + micro(option.cost) + micro(support?.cost), 0);
  for (let stride = 1; stride <= most; stride++) {
    if (!strideOk(stride, image, format, rules)) continue;
    const padding = Math.round(((sizeOf(image, format, rules, stride) - pixels) / pixels) * 1e6);
    if (best !== undefined && fixed + padding > best) break;
    let wishes = 0;
    for (const { option } of parts) {
      const wish = option.prefers?.strideAlignmentBytes;
      const unmet = wish !== undefined && !strides(format, stride).every((one) => one % wish === 0);
      if (unmet) wishes += micro(option.prefers?.cost ?? 0.1);
    }
    const cost = fixed + padding + wishes;
    if (best === undefined || cost < best) best = cost;
  }
  return best;
}

function takes(support: FormatSupport, option: LayoutOption, modifier: string): boolean {
  const modifiers = support.modifiers ?? (option.implicitIsLinear ? ['LINEAR', 'INVALID'] : ['INVALID']);
  return modifiers.includes(modifier) || modifiers.includes('*');
}

function sizeOk({ minSize, maxSize, sizeStep, maxPixels, sizes }: LayoutRules, image: ImageRequest): boolean {
  const { widthPixels: w, heightPixels: h } = image;
  if (minSize !== undefined && (w < minSize[0] || h < minSize[1])) return false;
  if (maxSize !== undefined && (w > maxSize[0] || h > maxSize[1])) return false;
  if (sizeStep !== undefined && (w % sizeStep[0] !== 0 || h % sizeStep[1] !== 0)) return false;
  if (maxPixels !== undefined && w * h > maxPixels) return false;
  return sizes === undefined || sizes.some((size) => size[0] === w && size[1] === h);
}

function countsOk(options: readonly LayoutOption[]): boolean {
  let sum = 0;
  let shared = 0;
  let least = 1;
  let most = Number.POSITIVE_INFINITY;
  for (const { counts = {} } of options) {
    sum += (counts.held ?? 0) + (counts.dedicatedSlack ?? 0);
    shared = Math.max(shared, counts.sharedSlack ?? 0);
    least = Math.max(least, counts.min ?? 0);
    most = Math.min(most, counts.max ?? most);
  }
  return Math.max(least, sum + shared) <= most;
}

/** Bytes of each plane for each byte of the first, from bytes per pixel. */
function strides(format: PixelFormat, first: number): number[] {
  const perPixel = format.planes.map((plane) => plane.bytesPerBlock / (plane.blockPixels * plane.subsamplingX));
  return perPixel.map((bytes) => (first * bytes) / perPixel[0]);
}

function payloadOf(image: ImageRequest, format: PixelFormat): number {
  return format.planes.reduce((sum, { bytesPerBlock, blockPixels, subsamplingX, subsamplingY }) => {
    const samples = Math.ceil(image.widthPixels / subsamplingX);
    const rows = Math.ceil(image.heightPixels / subsamplingY);
    return sum + Math.ceil(samples / blockPixels) * bytesPerBlock * rows;
  }, 0);
}

function equalStrides(format: PixelFormat): boolean {
  return strides(format, 64).every((stride) => stride === 64);
}

function rowsFit(format: PixelFormat, first: number, widthPixels: number): boolean {
  return strides(format, first).every((stride, index) => {
    const { bytesPerBlock, blockPixels, subsamplingX } = format.planes[index];
    const row = Math.ceil(Math.ceil(widthPixels / subsamplingX) / blockPixels) * bytesPerBlock;
    return Number.isInteger(stride) && stride >= row;
  });
}

function tightStride(format: PixelFormat, widthPixels: number): number {
  let stride = 1;
  while (!rowsFit(format, stride, widthPixels)) stride++;
  return stride;
}

function strideOk(first: number, image: ImageRequest, format: PixelFormat, rules: readonly LayoutRules[]): boolean {
  const blockWidths = rules.flatMap((one) => one.block?.[0] ?? []);
  let width = image.widthPixels;
  while (!blockWidths.every((block) => width % block === 0)) width++;
  if (!rowsFit(format, first, width)) return false;
  const all = strides(format, first);
  return rules.every((one) => {
    if (!all.every((stride) => stride % (one.strideAlignmentBytes ?? 1) === 0)) return false;
    if (!all.every((stride) => stride >= (one.minStrideBytes ?? 0))) return false;
    if (!all.every((stride) => stride <= (one.maxStrideBytes ?? stride))) return false;
    if (one.strideExact && first !== tightStride(format, image.widthPixels)) return false;
    if (one.stridePowerOfTwo && !Number.isInteger(Math.log2(first))) return false;
    if (one.strideAlignmentPixels !== undefined) {
      const { bytesPerBlock, blockPixels } = format.planes[0];
      if (first % bytesPerBlock !== 0) return false;
      if (((first / bytesPerBlock) * blockPixels) % one.strideAlignmentPixels !== 0) return false;
    }
    return all.every((stride, plane) => stride % (one.planes?.[plane]?.strideAlignmentBytes ?? 1) === 0);
  });
}

function sizeOf(image: ImageRequest, format: PixelFormat, rules: readonly LayoutRules[], first: number): number {
  let height = image.heightPixels;
  const heightOk = (): boolean =>
    rules.every((one) => {
      const steps = [one.heightAlignment ?? 1, one.block?.[1] ?? 1, one.planes?.[0]?.rowAlignment ?? 1];
      return steps.every((step) => height % step === 0);
    });
  while (!heightOk()) height++;
  let end = 0;
  for (const [plane, stride] of strides(format, first).entries()) {
    const own = rules.map((one) => one.planes?.[plane] ?? {});
    let rows = Math.ceil(height / format.planes[plane].subsamplingY);
    while (!own.every((one) => rows % (one.rowAlignment ?? 1) === 0)) rows++;
    const offsetOk = (): boolean =>
      rules.every((one) => end % (one.offsetAlignmentBytes ?? 1) === 0) &&
      own.every((one) => end % (one.offsetAlignmentBytes ?? 1) === 0);
    while (!offsetOk()) end++;
    end += stride * rows + Math.max(0, ...own.map((one) => one.extraBytes ?? 0));
  }
  const trailing = rules.map(({ trailingBytes = 0 }) =>
    typeof trailingBytes === 'number' ? trailingBytes : Math.max(first, trailingBytes.atLeastStrideOr),
  );
  let size = end + Math.max(0, ...trailing);
  for (let again = true; again; ) {
    again = false;
    for (const { sizeAlignmentBytes = 1 } of rules) {
      if (size % sizeAlignmentBytes === 0) continue;
      size = ceilTo(size, sizeAlignmentBytes);
      again = true;
    }
  }
  return size;
}

function micro(cost: number | undefined): number {
  return Math.round((cost ?? 0) * 1e6);
}
