/** Whether a buffer that exists can be imported by a participant, and what Linux would say. */
import { alignUp, isPowerOfTwo, leastCommonMultiple } from '../numbers.js';
import { arrange, planeStride, rowOfFormat, smallestStride, strideBounds, tightStride } from './arrange.js';
import { checkLayoutConstraints } from './check-layout.js';
import { canonicalFormat, type PixelFormat, pixelFormatOf, planeRows, rowBytes } from './formats.js';
import { type BrokenRule, type KernelOutcome, type OutcomeCause, outcomeOf } from './kernel-outcome.js';
import { IMPLICIT_MODIFIER, type ImportApi, type LayoutConstraints, type LayoutOption } from './layout-constraints.js';
import {
  demandsOf,
  describeValue,
  isSizeRule,
  type LayoutField,
  type LayoutValue,
  meetsSizeRule,
  modifiersOf,
  optionName,
  type RuleStatement,
  ruleStatements,
  rulesOutFormat,
  takesModifier,
} from './layout-facts.js';
import { isSilent, type LayoutHazard } from './layout-hazards.js';
import { type LayoutRow, mergeSlot, neutralRow, SLOT } from './layout-slots.js';

/** A buffer with an image in it. */
export interface ExistingLayout {
  readonly format: string;
  readonly modifier: string;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly planes: readonly { readonly strideBytes: number; readonly offsetBytes: number }[];
  readonly sizeBytes: number;
  /** Whose implicit layout it is, if it is implicit. */
  readonly implicitDomain?: string;
}

/** A rule that a buffer breaks. */
export interface ImportViolation extends BrokenRule {
  /** What the rule says. */
  readonly value: LayoutValue;
  /** Whether the participant does not check it. */
  readonly silent: boolean;
}

/** Whether a participant can import a buffer. */
export interface ImportCheck {
  readonly device: string;
  /** The option that comes closest, if it has a name. */
  readonly option?: string;
  /** Whether it would be accepted, be it with a wrong picture. */
  readonly accepted: boolean;
  /** Whether it breaks no rule at all. */
  readonly correct: boolean;
  readonly violations: readonly ImportViolation[];
  readonly lengthBytes: number;
  /** Shortest buffer that the participant could use with these strides, or, if it cannot, with the next larger ones. */
  readonly minimumBytes: number;
  /** What the buffer lacks; 0 when it is long enough. */
  readonly deficitBytes: number;
  /** `length 4147200, minimum length 4177920`; empty when it is long enough. */
  readonly shortage: string;
  /** Through the participant's own interface. */
  readonly outcome: KernelOutcome;
  /** Through each interface there is. */
  readonly outcomes: readonly KernelOutcome[];
  readonly hazards: readonly LayoutHazard[];
}

const APIS: readonly ImportApi[] = ['v4l2', 'drm', 'egl'];

/**
 * Checks a buffer against a participant, option by option; the one with the fewest broken rules speaks.
 *
 * Context: any-thread; pure.
 *
 * @throws RangeError when the format of the buffer is not known, its planes are not as many as the format has, or the
 *   constraints are malformed
 */
export function checkImport(existing: ExistingLayout, participant: LayoutConstraints): ImportCheck {
  const format = pixelFormatOf(existing.format);
  if (format === undefined) throw new RangeError(`Cannot check an import: format ${existing.format} is not known`);
  if (format.planes.length !== existing.planes.length) {
    const counts = `${format.name} has ${format.planes.length} planes, got ${existing.planes.length}`;
    throw new RangeError(`Cannot check an import: ${counts}`);
  }
  const problems = checkLayoutConstraints(participant);
  if (problems.length > 0) throw new RangeError(`Cannot check an import: ${problems.join('; ')}`);
  const { device, options, api = 'drm', driver } = participant;
  const judged = options.map((option, index) => ({ ...judge(existing, format, option), option, index }));
  const weight = (violations: readonly ImportViolation[]): number =>
    violations.reduce((sum, one) => sum + (one.silent ? 1 : 1000), 0);
  judged.sort((a, b) => weight(a.violations) - weight(b.violations) || a.index - b.index);
  const { violations, minimumBytes, option, index } = judged[0];
  const broken = violations.find((one) => !one.silent);
  const { modifier, widthPixels, heightPixels, sizeBytes } = existing;
  const corrupts = broken === undefined && violations.length > 0;
  const image = { format: format.name, modifier, widthPixels, heightPixels, sizeBytes, minimumBytes };
  const cause: OutcomeCause = { device, driver, ...image, broken, corrupts };
  const outcome = outcomeOf(api, cause);
  const deficitBytes = Math.max(0, minimumBytes - sizeBytes);
  const name = optionName(option, index, options.length);
  return {
    device,
    ...(name && { option: name }),
    accepted: outcome.errno === null && (broken === undefined || outcome.call === 'VIDIOC_QBUF'),
    correct: violations.length === 0,
    violations,
    lengthBytes: sizeBytes,
    minimumBytes,
    deficitBytes,
    shortage: deficitBytes === 0 ? '' : `length ${sizeBytes}, minimum length ${minimumBytes}`,
    outcome,
    outcomes: APIS.map((each) => outcomeOf(each, cause)),
    hazards: hazardsOf(device, violations, outcome.errno === null && outcome.call === 'VIDIOC_QBUF'),
  };
}

/** What passes unnoticed: rules that the participant does not check, or that its interface does not. */
function hazardsOf(device: string, violations: readonly ImportViolation[], passes: boolean): LayoutHazard[] {
  return violations.flatMap(({ field, silent, value, message }): LayoutHazard[] => {
    if (field === 'implicitDomain') return [{ kind: 'implicit-modifier', devices: [device], field, value, message }];
    if (!(silent || passes) || field === 'sizeBytes' || field === 'strideBytes') return [];
    const text = `${device} does not check ${field}: the buffer is accepted, and the picture is wrong (${message})`;
    return [{ kind: 'accepts-and-corrupts', devices: [device], field, value, message: text }];
  });
}

interface Judged {
  readonly violations: readonly ImportViolation[];
  readonly minimumBytes: number;
}

function judge(existing: ExistingLayout, format: PixelFormat, option: LayoutOption): Judged {
  const violations: ImportViolation[] = [];
  const broke = (
    field: ImportViolation['field'],
    value: LayoutValue,
    actual: number | string,
    message: string,
    plane = 0,
  ): void => {
    const silent = field !== 'sizeBytes' && field !== 'strideBytes' && isSilent(option, field);
    violations.push({ field, value, actual, message, plane, silent });
  };
  const support = option.formats?.find((one) => canonicalFormat(one.format) === format.name);
  if (option.formats !== undefined && support === undefined) {
    const names = option.formats.map((one) => one.format);
    broke('formats', names, format.name, `${names.join(', ')} are taken, the buffer is ${format.name}`);
  }
  const { modifier } = existing;
  if (support !== undefined && !takesModifier(modifiersOf(support, option), modifier)) {
    const names = modifiersOf(support, option);
    broke('modifiers', names, modifier, `${format.name} is taken in ${names.join(', ')}, the buffer is ${modifier}`);
  }
  const domain = option.implicitDomain;
  if (modifier === IMPLICIT_MODIFIER && domain !== undefined && existing.implicitDomain !== undefined) {
    const message = `the buffer's layout is private to ${existing.implicitDomain}, not to ${domain}`;
    if (domain !== existing.implicitDomain) broke('implicitDomain', domain, existing.implicitDomain, message);
  }
  const statements = [
    ...ruleStatements(option.rules),
    ...ruleStatements(support?.rules),
    ...ruleStatements(support?.rulesByModifier?.[modifier]),
  ];
  const row = rowOfFormat(format);
  for (const statement of statements) {
    if (!isSizeRule(statement.field) && statement.field !== 'equalPlaneStride') {
      for (const [slot, value] of demandsOf(statement, format)) mergeSlot(row, slot, value);
    }
    judgeRule(existing, format, statement, broke);
  }
  existing.planes.forEach(({ strideBytes }, plane) => {
    const least = rowBytes(format.planes[plane], existing.widthPixels);
    if (strideBytes >= least) return;
    broke(
      'strideBytes',
      least,
      strideBytes,
      `a row of plane ${plane} has ${least} bytes, the stride ${strideBytes}`,
      plane,
    );
  });
  const minimumBytes = minimumOf(existing, format, row);
  const isStrideLegal = !violations.some((one) => /stride/i.test(one.field) || one.field === 'block');
  if (existing.sizeBytes < minimumBytes && isStrideLegal) {
    const forced = statements.find((statement) => lengthens(existing, format, statement));
    const message = `length ${existing.sizeBytes}, minimum length ${minimumBytes}`;
    broke(forced?.field ?? 'sizeBytes', forced?.value ?? minimumBytes, existing.sizeBytes, message);
  }
  return { violations, minimumBytes };
}

type Report = (
  field: LayoutField,
  value: LayoutValue,
  actual: number | string,
  message: string,
  plane?: number,
) => void;

/** Judges one rule as far as it does not speak of the length. */
function judgeRule(existing: ExistingLayout, format: PixelFormat, statement: RuleStatement, broke: Report): void {
  const { field, value } = statement;
  const { widthPixels, heightPixels, planes } = existing;
  const stride = planes[0].strideBytes;
  if (isSizeRule(field) && !meetsSizeRule(statement, widthPixels, heightPixels)) {
    const size = `${widthPixels}x${heightPixels}`;
    broke(field, value, size, `${field} is ${describeValue(value)}, the image ${size}`);
    return;
  }
  if (field === 'equalPlaneStride') {
    const strides = planes.map((plane) => plane.strideBytes);
    const equal = strides.every((one) => one === stride) && !rulesOutFormat(statement, format);
    if (!equal) broke(field, value, strides.join(', '), `strides must be equal, got ${strides.join(', ')}`);
    return;
  }
  const alone = neutralRow();
  for (const [slot, demand] of isSizeRule(field) ? [] : demandsOf(statement, format)) mergeSlot(alone, slot, demand);
  const { exactBytes } = strideBounds(alone, format, widthPixels);
  const alignment = alone[SLOT.strideAlignment];
  if (stride % alignment !== 0) {
    broke(field, value, stride, `stride ${stride} mod ${alignment} = ${stride % alignment}`);
  } else if (stride < alone[SLOT.minStride]) {
    broke(field, value, stride, `stride ${stride} is below ${alone[SLOT.minStride]}`);
  } else if (stride > alone[SLOT.maxStride]) {
    broke(field, value, stride, `stride ${stride} is above ${alone[SLOT.maxStride]}`);
  } else if (exactBytes !== undefined && stride !== exactBytes) {
    broke(field, value, stride, `stride ${stride} must equal ${exactBytes}`);
  } else if (alone[SLOT.stridePowerOfTwo] !== 0 && !isPowerOfTwo(stride)) {
    broke(field, value, stride, `stride ${stride} is no power of two`);
  } else if (field === 'block' && stride < tightStride(format, alignUp(widthPixels, alone[SLOT.blockWidth]))) {
    const least = tightStride(format, alignUp(widthPixels, alone[SLOT.blockWidth]));
    broke(field, value, stride, `a row of whole blocks has ${least} bytes, the stride ${stride}`);
  }
  planes.forEach(({ strideBytes, offsetBytes }, plane) => {
    const offsetAlignment = alone[SLOT.offsetAlignment + plane];
    if (offsetBytes % offsetAlignment !== 0) {
      const message = `offset ${offsetBytes} mod ${offsetAlignment} = ${offsetBytes % offsetAlignment}`;
      broke(field, value, offsetBytes, message, plane);
    }
    // Strides that do not derive from the first must be aligned by themselves.
    const derived = planeStride(format, plane, stride);
    if (plane === 0 || strideBytes === derived || typeof value !== 'number') return;
    if (field === 'strideAlignmentBytes' && strideBytes % value !== 0) {
      broke(field, value, strideBytes, `stride ${strideBytes} mod ${value} = ${strideBytes % value}`, plane);
    }
    if (field === 'maxStrideBytes' && strideBytes > value) {
      broke(field, value, strideBytes, `stride ${strideBytes} is above ${value}`, plane);
    }
  });
}

/** Shortest buffer that meets the rules with these strides and offsets; strides that are not legal are rounded up. */
function minimumOf(existing: ExistingLayout, format: PixelFormat, row: LayoutRow): number {
  const first = legalStride(existing, format, row);
  const kept = first === existing.planes[0].strideBytes;
  if (!kept) {
    const own = arrange(row, format, existing.heightPixels, first);
    if (own !== undefined) return own.sizeBytes;
  }
  let alignment = leastCommonMultiple(row[SLOT.blockHeight], row[SLOT.heightAlignment]);
  alignment = leastCommonMultiple(alignment, row[SLOT.rowAlignment]);
  const height = alignUp(existing.heightPixels, alignment);
  let end = 0;
  for (const [plane, { strideBytes, offsetBytes }] of existing.planes.entries()) {
    const rows = alignUp(planeRows(format.planes[plane], height), row[SLOT.rowAlignment + plane]);
    // Padding rows of one plane must not lie in the next: what follows moves.
    const start = Math.max(offsetBytes, plane === 0 ? 0 : alignUp(end, row[SLOT.offsetAlignment + plane]));
    end = start + strideBytes * rows + row[SLOT.extraBytes + plane];
  }
  const trailing = Math.max(row[SLOT.trailingBytes], row[SLOT.trailingStride] === 0 ? 0 : first);
  return alignUp(end + trailing, row[SLOT.sizeAlignment]);
}

/** The stride itself if it is legal, else the next larger one that is, else the smallest there is. */
function legalStride(existing: ExistingLayout, format: PixelFormat, row: LayoutRow): number {
  const stride = existing.planes[0].strideBytes;
  const atLeast = row.slice();
  mergeSlot(atLeast, SLOT.minStride, stride);
  return (
    smallestStride(atLeast, format, existing.widthPixels) ?? smallestStride(row, format, existing.widthPixels) ?? stride
  );
}

/** Whether a rule alone needs more bytes than the buffer has. */
function lengthens(existing: ExistingLayout, format: PixelFormat, statement: RuleStatement): boolean {
  if (isSizeRule(statement.field) || statement.field === 'equalPlaneStride') return false;
  const row = rowOfFormat(format);
  for (const [slot, value] of demandsOf(statement, format)) mergeSlot(row, slot, value);
  return minimumOf(existing, format, row) > existing.sizeBytes;
}
