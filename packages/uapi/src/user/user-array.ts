/** Arrays that ioctls point to, in the memory of a program while a call lasts. */
import type { Task } from '@dmabuf-lab/core/base';
import type { Process } from '../kernel/process.js';

/** An array where the kernel finds it. */
export interface UserArray {
  readonly address: bigint;
  /** What lies there: what the kernel has written, after the call. */
  readonly view: DataView;
}

/** Runs a call with arrays of 32-bit or 64-bit words in place. */
export function* withArrays<T>(
  process: Process,
  arrays: readonly (readonly number[] | readonly bigint[])[],
  call: (placed: readonly UserArray[]) => Task<T>,
): Task<T> {
  const placed = arrays.map((words) => place(process, words));
  try {
    return yield* call(placed);
  } finally {
    for (const { address } of placed) process.user.drop(address);
  }
}

function place(process: Process, words: readonly number[] | readonly bigint[]): UserArray {
  const view = new DataView(new ArrayBuffer(Math.max(1, words.length) * 8));
  for (const [i, word] of words.entries()) {
    if (typeof word === 'bigint') view.setBigUint64(i * 8, BigInt.asUintN(64, word), true);
    else view.setUint32(i * 4, word, true);
  }
  return { address: process.user.put(new Uint8Array(view.buffer)), view };
}
