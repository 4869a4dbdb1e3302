/**
 * `--what-if 'encoder.iommu=true'`: changes one value of a file before it is read, so that what is wrong with it is told as
 * of the file itself.
 *
 * A path begins with a device, and then leads into its constraints (or into `layout`, `parameters`, …), or with a key of the
 * file. Elements of lists are named by their name or place. `DEVICE.iommu=true` puts it behind an IOMMU with 32-bit
 * addresses, `false` takes its IOMMU away. The value `null` takes away what the path names.
 */
import { parse } from 'yaml';
import { suggestion } from '../scenario/issues.js';

/** A question that cannot be understood. */
export class WhatIfError extends Error {
  override readonly name = 'WhatIfError';
  readonly exitCode = 2;
}

type Mapping = Record<string, unknown>;

/** Keys of a device that are not constraints. */
const OF_DEVICE = [
  'constraints',
  'layout',
  'parameters',
  'mapping',
  'importer',
  'pin',
  'profile',
  'driver',
  'optional',
  'missing',
  'late',
];

/**
 * Applies changes to the plain value of a file.
 *
 * @param edits each `PATH=VALUE`, the value as YAML
 * @throws WhatIfError when a path leads nowhere or a value is no YAML
 */
export function applyWhatIf(file: unknown, edits: readonly string[]): unknown {
  const changed = structuredClone(file);
  for (const edit of edits) apply(changed, edit);
  return changed;
}

function apply(file: unknown, edit: string): void {
  const at = edit.indexOf('=');
  const path = at < 0 ? '' : edit.slice(0, at).trim();
  if (path === '')
    throw new WhatIfError(`Cannot ask --what-if ${edit}: expected PATH=VALUE, such as encoder.iommu=true`);
  const value = parsedValue(edit, edit.slice(at + 1));
  if (!isMapping(file)) return;
  const devices = isMapping(file.devices) ? file.devices : {};
  const device = longestKey(devices, path);
  if (device === undefined) {
    const [head] = path.split('.');
    if (value !== null && isMapping(value) === false && !Object.hasOwn(file, longestKey(file, path) ?? head)) {
      checkHead(head, Object.keys(devices), edit, path);
    }
    set(file, path, value, edit);
    return;
  }
  if (device === path) {
    set(devices, path, value, edit);
    return;
  }
  const rest = path.slice(device.length + 1);
  const spec = below(devices, device);
  const constraints = below(spec, 'constraints');
  if (OF_DEVICE.includes(rest.split('.')[0])) set(spec, rest, value, edit);
  else if (rest === 'iommu' && typeof value === 'boolean') setIommu(constraints, value);
  else if (value === null && spec.profile !== undefined && !rest.includes('.')) takeAway(constraints, rest);
  else set(constraints, rest, value, edit);
}

/** A path below what is neither a device nor there: most likely a device misspelt. */
function checkHead(head: string, devices: readonly string[], edit: string, path: string): void {
  if (head === path) return;
  throw new WhatIfError(`Cannot ask --what-if ${edit}: there is no device "${head}"${suggestion(head, devices)}`);
}

/** What the profile says of it goes too. */
function takeAway(constraints: Mapping, key: string): void {
  delete constraints[key];
  constraints.without = [...(Array.isArray(constraints.without) ? constraints.without : []), key];
}

/** The mapping under a key, made if there is none. */
function below(node: Mapping, key: string): Mapping {
  const found = node[key];
  if (isMapping(found)) return found;
  const made: Mapping = {};
  node[key] = made;
  return made;
}

function parsedValue(edit: string, text: string): unknown {
  try {
    return parse(text);
  } catch {
    throw new WhatIfError(`Cannot ask --what-if ${edit}: the value is not valid YAML`);
  }
}

/** Windows speak of a device without an IOMMU, so that they go; what a profile says of an IOMMU goes by `without`. */
function setIommu(constraints: Mapping, present: boolean): void {
  takeAway(constraints, present ? 'windows' : 'iommu');
  if (present) constraints.iommu = { iovaBits: 32 };
}

function set(node: unknown, path: string, value: unknown, edit: string): void {
  if (Array.isArray(node)) {
    const [head] = path.split('.');
    const index = node.findIndex((item, i) => String(i) === head || (isMapping(item) && item.name === head));
    if (index < 0) {
      const names = node.map((item, i) => (isMapping(item) && typeof item.name === 'string' ? item.name : String(i)));
      throw new WhatIfError(`Cannot ask --what-if ${edit}: there is no "${head}"${suggestion(head, names)}`);
    }
    if (head === path && value === null) node.splice(index, 1);
    else if (head === path) node[index] = value;
    else set(node[index], path.slice(head.length + 1), value, edit);
    return;
  }
  if (!isMapping(node)) throw new WhatIfError(`Cannot ask --what-if ${edit}: nothing can be set below a single value`);
  const key = longestKey(node, path) ?? path.split('.')[0];
  if (key === '__proto__') throw new WhatIfError(`Cannot ask --what-if ${edit}: there is no "${key}"`);
  if (key !== path) set(node[key] ?? below(node, key), path.slice(key.length + 1), value, edit);
  else if (value === null) delete node[key];
  else node[key] = value;
}

/** Keys may hold dots themselves, such as `camera.out`. */
function longestKey(node: Mapping, path: string): string | undefined {
  const keys = Object.keys(node).filter((key) => path === key || path.startsWith(`${key}.`));
  return keys.sort((a, b) => b.length - a.length)[0];
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
