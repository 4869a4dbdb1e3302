/** What a process has of memory beside its mappings: the structures and strings whose addresses it passes to the kernel. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { Struct } from '../abi/struct.js';
import { pageAligned } from './pages.js';

/** Where such memory begins; nothing is mapped below, so that a null pointer faults. */
const FIRST_ADDRESS = 0x7f00_0000_0000n;
const GUARD = 4096n;

/**
 * Memory that a process passes by address.
 *
 * Source: copy_from_user, copy_to_user, include/linux/uaccess.h, v6.12.
 */
export class UserMemory {
  readonly #blocks = new Map<bigint, Uint8Array>();
  #next = FIRST_ADDRESS;

  /** Makes bytes addressable: they are shared, not copied. @returns their address */
  put(bytes: Uint8Array): bigint {
    const address = this.#next;
    this.#blocks.set(address, bytes);
    this.#next += (BigInt(bytes.length) / GUARD + 2n) * GUARD;
    return address;
  }

  /** Forgets what lies at an address. */
  drop(address: bigint): void {
    this.#blocks.delete(address);
  }

  /** What lies behind a block is zero up to the end of its page. Source: copy_from_user. @throws ErrnoError EFAULT */
  read(address: bigint, sizeBytes: number, op: string): Uint8Array {
    const there = this.#at(address, sizeBytes, op);
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(there);
    return bytes;
  }

  /** What goes behind a block is lost, up to the end of its page. Source: copy_to_user. @throws ErrnoError EFAULT */
  write(address: bigint, bytes: Uint8Array, op: string): void {
    const target = this.#at(address, bytes.length, op);
    target.set(bytes.subarray(0, target.length));
  }

  readStruct<T>(address: bigint, struct: Struct<T>, op: string): T {
    return struct.decode(this.read(address, struct.size, op));
  }

  writeStruct<T>(address: bigint, struct: Struct<T>, value: T, op: string): void {
    this.write(address, struct.encode(value), op);
  }

  /** A string up to its NUL, of at most so many bytes, NUL included. Source: strndup_user. @throws EFAULT, EINVAL */
  readString(address: bigint, maxBytes: number, op: string): string {
    const [base, block] = this.#find(address, op);
    const start = Number(address - base);
    const end = block.indexOf(0, start);
    if (end < 0 || end - start + 1 > maxBytes) {
      throw new ErrnoError('EINVAL', op, `Cannot read a string: it has no end within ${maxBytes} bytes`);
    }
    return String.fromCharCode(...block.subarray(start, end));
  }

  /** The part of a block that a range covers. */
  #at(address: bigint, sizeBytes: number, op: string): Uint8Array {
    if (sizeBytes === 0) return new Uint8Array(0);
    const [base, block] = this.#find(address, op);
    const start = Number(address - base);
    if (start + sizeBytes > pageAligned(block.length)) throw badAddress(address, op);
    return block.subarray(start, start + sizeBytes);
  }

  #find(address: bigint, op: string): [bigint, Uint8Array] {
    const whole = this.#blocks.get(address);
    if (whole !== undefined) return [address, whole];
    for (const [base, block] of this.#blocks) {
      if (address >= base && address < base + BigInt(block.length)) return [base, block];
    }
    throw badAddress(address, op);
  }
}

function badAddress(address: bigint, op: string): ErrnoError {
  return new ErrnoError('EFAULT', op, `Cannot access user memory at 0x${address.toString(16)}: nothing is there`);
}
