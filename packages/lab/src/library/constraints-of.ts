/** Turns what files say of a device into the constraints that the solvers take. */
import type {
  BufferCounts,
  DeviceConstraints,
  FormatSupport,
  LayoutConstraints,
  LayoutOption,
  LayoutRules,
  PlaneRules,
} from '@dmabuf-lab/core/constraints';
import type { StatedConstraints } from '../scenario/schema-constraints.js';
import type { StatedLayout, StatedOption, StatedRules } from '../scenario/schema-layout.js';

type StatedFormat = NonNullable<StatedOption['formats']>[number];

/**
 * The placement constraints of a device.
 *
 * @param device its name, for explanations
 * @param stated in order by themselves, with `iommu.iovaBits` if there is an iommu
 */
export function deviceConstraintsOf(device: string, stated: StatedConstraints): DeviceConstraints {
  const { windows, maxSegmentSize, alignment, iommu, prefers, without: _, ...rest } = stated;
  return {
    device,
    ...rest,
    ...(windows && { windows: windows.map(dmaWindowOf) }),
    ...(maxSegmentSize !== undefined && { maxSegmentBytes: maxSegmentSize }),
    ...(alignment !== undefined && { alignmentBytes: alignment }),
    ...(iommu && { iommu: iommuTraitsOf(iommu) }),
    ...(prefers && { prefers: preferencesOf(prefers) }),
  };
}

function dmaWindowOf({
  base,
  size,
  bus,
}: NonNullable<StatedConstraints['windows']>[number]): NonNullable<DeviceConstraints['windows']>[number] {
  return { base, sizeBytes: size, ...(bus !== undefined && { busBase: bus }) };
}

function iommuTraitsOf(iommu: NonNullable<StatedConstraints['iommu']>): NonNullable<DeviceConstraints['iommu']> {
  const { iovaBits = 64, iovaSize, iovaBudget, ...rest } = iommu;
  return {
    iovaBits,
    ...rest,
    ...(iovaSize !== undefined && { iovaSizeBytes: iovaSize }),
    ...(iovaBudget !== undefined && { iovaBudgetBytes: iovaBudget }),
  };
}

function preferencesOf(prefers: NonNullable<StatedConstraints['prefers']>): NonNullable<DeviceConstraints['prefers']> {
  const { iommuPageSize, ...rest } = prefers;
  return { ...rest, ...(iommuPageSize !== undefined && { iommuPageBytes: iommuPageSize }) };
}

/**
 * The layout constraints of a device: the options in use, and the others as alternatives. A layout that states no
 * option does not care.
 *
 * @param device its name, for explanations
 */
export function layoutConstraintsOf(device: string, stated: StatedLayout): LayoutConstraints {
  const { options, use, ...rest } = stated;
  const all = Object.entries(options).map(([name, option]) => layoutOptionOf(name, option));
  const used = all.filter(({ name }) => use === undefined || (name !== undefined && use.includes(name)));
  const others = all.filter((option) => !used.includes(option));
  const constraints = {
    device,
    ...rest,
    options: all.length === 0 ? [{}] : used,
    ...(others.length > 0 && { alternatives: others }),
  };
  return constraints;
}

function layoutOptionOf(name: string, option: StatedOption): LayoutOption {
  const { formats, rules, counts, prefers, silent, ...rest } = option;
  return {
    name,
    ...rest,
    ...(formats && { formats: formats.flatMap(formatsOf) }),
    ...(rules && { rules: layoutRulesOf(rules) }),
    ...(counts && { counts: counts satisfies BufferCounts }),
    ...(prefers && {
      prefers: {
        ...(prefers.strideAlignment !== undefined && { strideAlignmentBytes: prefers.strideAlignment }),
        ...(prefers.cost !== undefined && { cost: prefers.cost }),
      },
    }),
    ...(silent && { silent: silent.map((rule) => RULE_NAMES[rule]) }),
  };
}

/** One entry may speak of several formats. */
function formatsOf(stated: StatedFormat): FormatSupport[] {
  if (typeof stated === 'string') return [{ format: stated }];
  const { format, rules, rulesByModifier, ...rest } = stated;
  const support = {
    ...rest,
    ...(rules && { rules: layoutRulesOf(rules) }),
    ...(rulesByModifier && {
      rulesByModifier: Object.fromEntries(
        Object.entries(rulesByModifier).map(([modifier, more]) => [modifier, layoutRulesOf(more)]),
      ),
    }),
  };
  return [format].flat().map((one) => ({ format: one, ...support }));
}

/** The names of rules in files and in core: files give sizes with units, so that `Bytes` has no place there. */
const RULE_NAMES = {
  strideAlignment: 'strideAlignmentBytes',
  strideAlignmentPixels: 'strideAlignmentPixels',
  minStride: 'minStrideBytes',
  maxStride: 'maxStrideBytes',
  strideExact: 'strideExact',
  stridePowerOfTwo: 'stridePowerOfTwo',
  equalPlaneStride: 'equalPlaneStride',
  heightAlignment: 'heightAlignment',
  offsetAlignment: 'offsetAlignmentBytes',
  block: 'block',
  trailing: 'trailingBytes',
  sizeAlignment: 'sizeAlignmentBytes',
  minSize: 'minSize',
  maxSize: 'maxSize',
  sizeStep: 'sizeStep',
  maxPixels: 'maxPixels',
  sizes: 'sizes',
  planes: 'planes',
} as const satisfies Record<keyof StatedRules, keyof LayoutRules>;

function layoutRulesOf(stated: StatedRules): LayoutRules {
  const { planes, ...rest } = stated;
  const named = Object.entries(rest).map(([rule, value]) => [RULE_NAMES[rule as keyof typeof rest], value]);
  return { ...Object.fromEntries(named), ...(planes && { planes: planes.map(planeRulesOf) }) };
}

function planeRulesOf(stated: NonNullable<StatedRules['planes']>[number]): PlaneRules {
  const { strideAlignment, rowAlignment, offsetAlignment, extra } = stated;
  return {
    ...(strideAlignment !== undefined && { strideAlignmentBytes: strideAlignment }),
    ...(rowAlignment !== undefined && { rowAlignment }),
    ...(offsetAlignment !== undefined && { offsetAlignmentBytes: offsetAlignment }),
    ...(extra !== undefined && { extraBytes: extra }),
  };
}
