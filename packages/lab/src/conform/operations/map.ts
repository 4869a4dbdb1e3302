/** Loads and stores through mappings. */
import { type AddressSpace, PAGE_BYTES } from '@dmabuf-lab/uapi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import { answered, type Operation, operation } from '../operation.js';
import { count, hexBytes, low32, toHex } from '../values.js';
import { protection } from './arguments.js';

const on = z.looseObject({ map: z.string(), offset: count.default(0) });
const range = on.extend({ len: count.optional() });

/** A part of a mapping, up to its end where no length is given. */
function partOf(context: CaseContext, given: z.infer<typeof range>): { address: number; lengthBytes: number } {
  const { address, lengthBytes } = context.map(given.map);
  return { address: address + given.offset, lengthBytes: given.len ?? lengthBytes - given.offset };
}

/** The byte that all are equal to. Pages behind the first difference are not touched. @throws SignalError */
function uniformByte(memory: AddressSpace, address: number, lengthBytes: number): number | undefined {
  const [first] = memory.read(address, 1);
  for (let at = 0; at < lengthBytes; ) {
    const length = Math.min(PAGE_BYTES - ((address + at) % PAGE_BYTES), lengthBytes - at);
    if (memory.read(address + at, length).some((byte) => byte !== first)) return undefined;
    at += length;
  }
  return first;
}

export const mapOperations: Readonly<Record<string, Operation>> = {
  'map.read': operation(range.extend({ len: count.default(16) }), (context, given) => {
    const { address, lengthBytes } = partOf(context, given);
    const bytes = context.process.memory.read(address, lengthBytes);
    return answered({ ret: bytes.length, hex: toHex(bytes) });
  }),
  'map.write': operation(on.extend({ hex: hexBytes.default(() => new Uint8Array(0)) }), (context, given) => {
    const { address } = context.map(given.map);
    context.process.memory.write(address + given.offset, given.hex);
    return answered({ ret: given.hex.length });
  }),
  'map.fill': operation(range.extend({ byte: count.default(0) }), (context, given) => {
    const { address, lengthBytes } = partOf(context, given);
    context.process.memory.fill(address, lengthBytes, given.byte);
    return answered({ ret: lengthBytes });
  }),
  'map.scan': operation(range, (context, given) => {
    const { address, lengthBytes } = partOf(context, given);
    const byte = uniformByte(context.process.memory, address, lengthBytes);
    return answered({ ret: lengthBytes, uniform: byte !== undefined, ...(byte !== undefined && { byte }) });
  }),
  'map.unmap': operation(range, (context, given) => {
    const { address, lengthBytes } = partOf(context, given);
    context.process.memory.unmap(address, lengthBytes);
    return answered({ ret: 0 });
  }),
  'map.protect': operation(range.extend({ prot: protection.default(0n) }), (context, given) => {
    const { address, lengthBytes } = partOf(context, given);
    context.process.memory.protect(address, lengthBytes, low32(given.prot));
    return answered({ ret: 0 });
  }),
  'map.remap': operation(on.extend({ newLen: count }), (context, given) => {
    const map = context.map(given.map);
    map.address = context.process.memory.remap(map.address, map.lengthBytes, given.newLen);
    map.lengthBytes = given.newLen;
    return answered({ ret: 'map' });
  }),
};
