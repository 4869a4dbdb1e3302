/** How the number of an ioctl is made. Source: include/uapi/asm-generic/ioctl.h, v6.12. */
import type { Struct } from './struct.js';

const SIZE_SHIFT = 2 ** 16;
const DIRECTION_SHIFT = 2 ** 30;

/** An ioctl and the structure it takes. */
export interface IoctlCommand<T = unknown> {
  readonly name: string;
  /** The number, 0 to 2^32 - 1. */
  readonly number: number;
  /** Of its argument; absent when that is no structure. */
  readonly struct?: Struct<T>;
}

/** Directions, as user space sees them. */
export const IOC = { none: 0, write: 1, read: 2 } as const;

/** @param type the letter of the subsystem */
export function ioctlNumber(direction: number, type: string, nr: number, sizeBytes: number): number {
  return direction * DIRECTION_SHIFT + sizeBytes * SIZE_SHIFT + type.charCodeAt(0) * 256 + nr;
}

export const ioctlNr = (number: number): number => number % 256;
export const ioctlType = (number: number): number => Math.floor(number / 256) % 256;
export const ioctlSize = (number: number): number => Math.floor(number / SIZE_SHIFT) % 2 ** 14;
export const ioctlDirection = (number: number): number => Math.floor(number / DIRECTION_SHIFT);

const command =
  (direction: number) =>
  <T>(name: string, type: string, nr: number, struct: Struct<T>): IoctlCommand<T> & { readonly struct: Struct<T> } => ({
    name,
    number: ioctlNumber(direction, type, nr, struct.size),
    struct,
  });

/** `_IOW`: user space writes the argument. */
export const iow = command(IOC.write);
/** `_IOR`: user space reads it. */
export const ior = command(IOC.read);
/** `_IOWR`: both. */
export const iowr = command(IOC.write + IOC.read);

/** `_IO`: no argument, or one that is not a pointer to a structure. */
export function io(name: string, type: string, nr: number): IoctlCommand {
  return { name, number: ioctlNumber(IOC.none, type, nr, 0) };
}
