/** Arrays that ioctls of mode setting point to. */
import { idWord, valueWord } from '../../../abi/drm-mode.js';
import type { Process } from '../../../kernel/process.js';

/** Writes as many ids as there is room for. Source: put_user in drm_mode_getresources. @throws ErrnoError EFAULT */
export function writeIds(process: Process, address: bigint, room: number, ids: readonly number[], op: string): void {
  for (const [i, value] of ids.slice(0, room).entries()) {
    process.user.writeStruct(address + BigInt(i * idWord.size), idWord, { value }, op);
  }
}

/** @throws ErrnoError EFAULT */
export function writeValue(process: Process, address: bigint, index: number, value: bigint, op: string): void {
  process.user.writeStruct(
    address + BigInt(index * valueWord.size),
    valueWord,
    { value: BigInt.asUintN(64, value) },
    op,
  );
}

/** @throws ErrnoError EFAULT */
export function readId(process: Process, address: bigint, index: number, op: string): number {
  return process.user.readStruct(address + BigInt(index * idWord.size), idWord, op).value;
}

/** @throws ErrnoError EFAULT */
export function readValue(process: Process, address: bigint, index: number, op: string): bigint {
  return process.user.readStruct(address + BigInt(index * valueWord.size), valueWord, op).value;
}
