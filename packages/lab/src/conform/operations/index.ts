/** The vocabulary of case files. */
import type { Operation } from '../operation.js';
import { bufferOperations } from './buffers.js';
import { drmOperations } from './drm.js';
import { fdOperations } from './fd.js';
import { kmsOperations } from './kms.js';
import { mapOperations } from './map.js';
import { syncobjOperations } from './syncobj.js';
import { timeOperations } from './time.js';
import { v4l2Operations } from './v4l2.js';

const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...fdOperations,
  ...mapOperations,
  ...bufferOperations,
  ...drmOperations,
  ...kmsOperations,
  ...syncobjOperations,
  ...timeOperations,
  ...v4l2Operations,
};
/** Prefixes under which the operations on any descriptor go too. */
const ALIASES = ['buf.', 'memfd.'];

/** @returns undefined for what the vocabulary does not have */
export function operationNamed(name: string): Operation | undefined {
  if (Object.hasOwn(OPERATIONS, name)) return OPERATIONS[name];
  const alias = ALIASES.find((prefix) => name.startsWith(prefix));
  const plain = alias === undefined ? undefined : `fd.${name.slice(alias.length)}`;
  return plain !== undefined && Object.hasOwn(OPERATIONS, plain) ? OPERATIONS[plain] : undefined;
}

export const operationNames = (): string[] => Object.keys(OPERATIONS);
