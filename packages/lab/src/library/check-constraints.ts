/**
 * Refuses constraints that contradict themselves, with the field, its value and the rule. Core's checks decide; here their
 * sentences are brought back to the keys of the file.
 */
import { checkDeviceConstraints, checkLayoutConstraints, contradictionsOf } from '@dmabuf-lab/core/constraints';
import { suggestion } from '../scenario/issues.js';
import type { StatedConstraints } from '../scenario/schema-constraints.js';
import type { StatedLayout, StatedOption } from '../scenario/schema-layout.js';
import { deviceConstraintsOf, layoutConstraintsOf } from './constraints-of.js';

/** Something wrong, with the path of the field below the constraints or the layout. */
export interface FieldProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is wrong with placement constraints that are in order value by value; empty when they are consistent. */
export function constraintProblems(stated: StatedConstraints): FieldProblem[] {
  const { iommu } = stated;
  if (iommu !== undefined && iommu.iovaBits === undefined) {
    return [{ path: ['iommu', 'iovaBits'], message: 'missing, expected a whole number' }];
  }
  const constraints = deviceConstraintsOf('device', stated);
  const malformed = checkDeviceConstraints(constraints);
  return (malformed.length > 0 ? malformed : contradictionsOf(constraints)).map(problemOf);
}

/** What is wrong with a layout that is in order value by value; empty when it is consistent. */
export function layoutProblems(stated: StatedLayout): FieldProblem[] {
  const names = Object.keys(stated.options);
  const unknown = (stated.use ?? []).flatMap((name, i) => {
    if (Object.hasOwn(stated.options, name)) return [];
    return [{ path: ['use', i], message: `unknown option "${name}"${suggestion(name, names)}` }];
  });
  const wrong = Object.entries(stated.options).flatMap(([name, option]) => optionProblems(name, option));
  return [...unknown, ...wrong];
}

/** One option at a time: core counts options, and alternatives apart from them. */
function optionProblems(name: string, option: StatedOption): FieldProblem[] {
  const constraints = layoutConstraintsOf('device', { options: { [name]: option } });
  // An entry of the file may speak of several formats, which are one each in core.
  const entries = (option.formats ?? []).flatMap((entry, i) =>
    typeof entry === 'string' ? [i] : [entry.format].flat().map(() => i),
  );
  return checkLayoutConstraints(constraints).map((sentence) => {
    const [field, ...words] = sentence.replaceAll('options[0].', '').split(' ');
    const path = pathOf(field);
    if (path[0] === 'formats' && typeof path[1] === 'number') path[1] = entries[path[1]];
    return { path: ['options', name, ...path], message: `${path.join('.')} ${inFileKeys(words.join(' '))}` };
  });
}

const FILE_KEYS: Readonly<Record<string, string>> = {
  sizeBytes: 'size',
  busBase: 'bus',
  iovaSizeBytes: 'iovaSize',
  iovaBudgetBytes: 'iovaBudget',
  maxSegmentBytes: 'maxSegmentSize',
  alignmentBytes: 'alignment',
  iommuPageBytes: 'iommuPageSize',
  strideAlignmentBytes: 'strideAlignment',
  minStrideBytes: 'minStride',
  maxStrideBytes: 'maxStride',
  offsetAlignmentBytes: 'offsetAlignment',
  trailingBytes: 'trailing',
  sizeAlignmentBytes: 'sizeAlignment',
  extraBytes: 'extra',
};

/** A sentence of core begins with the field that it is about, such as `windows[0].sizeBytes`. */
function problemOf(sentence: string): FieldProblem {
  const [field, ...words] = sentence.split(' ');
  const path = pathOf(field);
  return { path, message: `${path.join('.')} ${inFileKeys(words.join(' '))}` };
}

function pathOf(field: string): (string | number)[] {
  const keys = field.split(/[.[\]]+/).filter((key) => key !== '');
  return keys.map((key) => (/^\d+$/.test(key) ? Number(key) : inFileKeys(key)));
}

function inFileKeys(text: string): string {
  const renamed = text.replace(/[A-Za-z]+/g, (word) => (Object.hasOwn(FILE_KEYS, word) ? FILE_KEYS[word] : word));
  return renamed.replace(/\[(\d+)\]/g, '.$1');
}
