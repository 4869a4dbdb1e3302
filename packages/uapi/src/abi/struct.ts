/**
 * Layouts of C structures: how the arguments of ioctls lie in memory on a 64-bit little-endian machine.
 *
 * A layout is declared once, field by field, and gives size, decoding and encoding; field types follow from it. Padding is
 * explicit, as in the headers of the kernel, so that the offsets can be compared with them line by line.
 */

/** A scalar or an array in a structure. */
export interface FieldType<T> {
  readonly size: number;
  readonly align: number;
  readonly initial: () => T;
  read(view: DataView, offset: number): T;
  write(view: DataView, offset: number, value: T): void;
}

const scalar = <T>(
  size: number,
  zero: T,
  read: (view: DataView, offset: number) => T,
  write: (view: DataView, offset: number, value: T) => void,
): FieldType<T> => ({ size, align: size, initial: () => zero, read, write });

export const u8 = scalar(
  1,
  0,
  (v, o) => v.getUint8(o),
  (v, o, x) => v.setUint8(o, x),
);
export const u16 = scalar(
  2,
  0,
  (v, o) => v.getUint16(o, true),
  (v, o, x) => v.setUint16(o, x, true),
);
export const u32 = scalar(
  4,
  0,
  (v, o) => v.getUint32(o, true),
  (v, o, x) => v.setUint32(o, x, true),
);
export const s32 = scalar(
  4,
  0,
  (v, o) => v.getInt32(o, true),
  (v, o, x) => v.setInt32(o, x, true),
);
export const u64 = scalar(
  8,
  0n,
  (v, o) => v.getBigUint64(o, true),
  (v, o, x) => v.setBigUint64(o, x, true),
);
export const s64 = scalar(
  8,
  0n,
  (v, o) => v.getBigInt64(o, true),
  (v, o, x) => v.setBigInt64(o, x, true),
);

/** Bytes as they are: unions, reserved space, character arrays. */
export function raw(size: number, align = 1): FieldType<Uint8Array> {
  return {
    size,
    align,
    initial: () => new Uint8Array(size),
    read: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, size).slice(),
    write: (view, offset, value) => {
      const target = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      target.fill(0);
      target.set(value.subarray(0, size));
    },
  };
}

/** A string in a fixed array of characters, up to its first NUL. */
export function chars(size: number): FieldType<string> {
  const bytes = raw(size);
  return {
    size,
    align: 1,
    initial: () => '',
    read: (view, offset) => {
      const all = bytes.read(view, offset);
      const end = all.indexOf(0);
      return String.fromCharCode(...all.subarray(0, end < 0 ? size : end));
    },
    write: (view, offset, value) =>
      bytes.write(
        view,
        offset,
        Uint8Array.from(value, (c) => c.charCodeAt(0) & 0xff),
      ),
  };
}

export function array<T>(element: FieldType<T>, count: number): FieldType<readonly T[]> {
  return {
    size: element.size * count,
    align: element.align,
    initial: () => Array.from({ length: count }, element.initial),
    read: (view, offset) => Array.from({ length: count }, (_, i) => element.read(view, offset + i * element.size)),
    write: (view, offset, values) => {
      for (let i = 0; i < count; i += 1) {
        element.write(view, offset + i * element.size, values[i] ?? element.initial());
      }
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the parameter of a field type is invariant; here it is only inferred
type Declared = Readonly<Record<string, FieldType<any>>>;
/** The fields of a structure as a plain object. */
export type Decoded<D extends Declared> = { -readonly [K in keyof D]: D[K] extends FieldType<infer T> ? T : never };

/** A structure. */
export interface Struct<T> extends FieldType<T> {
  readonly name: string;
  readonly offsets: Readonly<Record<string, number>>;
  decode(bytes: Uint8Array): T;
  /** Fields that are not given are zero. */
  encode(value: Partial<T>): Uint8Array;
}

/**
 * Declares a structure, with the alignment rules of C.
 *
 * @param name as the header calls it
 */
export function struct<D extends Declared>(name: string, fields: D): Struct<Decoded<D>> {
  type T = Decoded<D>;
  const offsets: Record<string, number> = {};
  let end = 0;
  let align = 1;
  for (const [key, type] of Object.entries(fields)) {
    end = Math.ceil(end / type.align) * type.align;
    offsets[key] = end;
    end += type.size;
    align = Math.max(align, type.align);
  }
  const size = Math.ceil(end / align) * align;
  const entries = Object.entries(fields);
  const initial = (): T => Object.fromEntries(entries.map(([key, type]) => [key, type.initial()])) as T;
  const read = (view: DataView, offset: number): T =>
    Object.fromEntries(entries.map(([key, type]) => [key, type.read(view, offset + offsets[key])])) as T;
  const write = (view: DataView, offset: number, value: Partial<T>): void => {
    for (const [key, type] of entries) {
      type.write(view, offset + offsets[key], value[key as keyof T] ?? type.initial());
    }
  };
  return {
    name,
    size,
    align,
    offsets,
    initial,
    read,
    write,
    decode: (bytes) => read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0),
    encode: (value) => {
      const bytes = new Uint8Array(size);
      write(new DataView(bytes.buffer), 0, value);
      return bytes;
    },
  };
}
