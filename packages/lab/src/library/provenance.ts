/**
 * Where the values of a profile come from. `sources` and `inferred` speak of a field or of all below it; every value must
 * be covered by one of them, and nothing else may be named.
 */
import { isMapping } from './overlay.js';

/** The trees that sources point into, by the first word of a source. The only place that says which version is meant. */
export const SOURCE_TREES: Readonly<Record<string, string>> = {
  K: 'Linux v6.12.25',
  NEXT: 'Linux after v6.12, into which the driver came later',
  RPI: "Raspberry Pi's kernel",
  MESA: 'Mesa',
  thread: 'an issue or a pull request on GitHub',
};

/** Where one value comes from. */
export interface Provenance {
  /** Kernel file and line, or another place to look it up. */
  readonly source?: string;
  /** It follows from what is written there, or from how such devices are, but is not written there. */
  readonly inferred: boolean;
}

/** Provenance by path of a value, such as `constraints.iommu.iovaBits`. */
export type ProvenanceByPath = Readonly<Record<string, Provenance>>;

/** A value of a file and where it stands. Lists of plain values, such as a size in pixels, are one value. */
export interface Leaf {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/** Keys that choose or name, and claim nothing about the device. */
const NO_CLAIMS = new Set(['without', 'source', 'subsystem', 'use', 'optional', 'api', 'driver', 'implicitDomain']);

/** Every value below a part of a file that is a claim about the world. */
export function leavesOf(value: unknown, path: readonly (string | number)[]): Leaf[] {
  if (isMapping(value)) {
    return Object.entries(value)
      .filter(([key, child]) => child !== undefined && !NO_CLAIMS.has(key))
      .flatMap(([key, child]) => leavesOf(child, [...path, key]));
  }
  if (Array.isArray(value) && value.some(isMapping)) return value.flatMap((child, i) => leavesOf(child, [...path, i]));
  return [{ path, value }];
}

/** What a file states of the origin of its values. */
export interface StatedOrigin {
  readonly sources: Readonly<Record<string, string>>;
  readonly inferred: readonly string[];
}

/** Something wrong with the origin of values, at a path of the file. */
export interface OriginProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Finds for every value the most specific source, and whether it is inferred. */
export function resolveOrigin(
  leaves: readonly Leaf[],
  { sources, inferred }: StatedOrigin,
): { readonly provenance: ProvenanceByPath; readonly problems: readonly OriginProblem[] } {
  const provenance: Record<string, Provenance> = {};
  const problems: OriginProblem[] = [];
  for (const { path } of leaves) {
    const key = path.join('.');
    const source = Object.keys(sources)
      .filter((field) => covers(field, key))
      .reduce<string | undefined>((best, field) => (field.length >= (best ?? '').length ? field : best), undefined);
    const isInferred = inferred.some((field) => covers(field, key));
    if (source === undefined && !isInferred) {
      problems.push({ path, message: 'expected to be named in sources or in inferred, got neither' });
    } else provenance[key] = { ...(source !== undefined && { source: sources[source] }), inferred: isInferred };
  }
  const keys = leaves.map(({ path }) => path.join('.'));
  const isIdle = (field: string): boolean => !keys.some((key) => covers(field, key));
  const idle = 'expected a field with a value in this file, such as constraints.iommu';
  for (const field of Object.keys(sources))
    if (isIdle(field)) problems.push({ path: ['sources', field], message: idle });
  for (const [i, field] of inferred.entries()) {
    if (isIdle(field)) problems.push({ path: ['inferred', i], message: `${idle}, got ${JSON.stringify(field)}` });
  }
  return { provenance, problems };
}

function covers(field: string, key: string): boolean {
  return key === field || key.startsWith(`${field}.`);
}
