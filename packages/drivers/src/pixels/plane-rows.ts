/** Row access to an image plane whose bytes lie in one or several pieces of memory. */

/** Where a plane lies within a buffer; all figures in bytes except the row count. */
export interface PlaneLayout {
  /** Offset of the first pixel from the start of the buffer. */
  readonly offsetBytes: number;
  /** Bytes of one row that hold pixels. */
  readonly widthBytes: number;
  /** Bytes from the start of one row to the start of the next; at least `widthBytes`. */
  readonly strideBytes: number;
  readonly heightRows: number;
}

/**
 * A plane of an image, by rows.
 *
 * Pixel kernels see planes only through this interface, because a buffer's pages may be scattered: a row can straddle two
 * page runs. A row within one run is handed out as a view of the memory itself; a straddling row as a copy in a scratch row,
 * which `endRow` stores back. Every row is `widthBytes` long, so the padding up to the stride is never touched.
 *
 * Context: any thread; nothing here locks, so the caller holds the access (begin/end CPU access, or a device's map).
 */
export interface PlaneRows {
  readonly widthBytes: number;
  readonly strideBytes: number;
  readonly heightRows: number;

  /**
   * The bytes of row `y`, to read. Valid until the next `row` of this plane.
   *
   * @param y row, 0 to heightRows-1
   */
  row(y: number): Uint8Array;

  /**
   * A place for the bytes of row `y`, to be followed by `endRow(y)`: one row at a time. `row` may be used in between.
   *
   * @param y row, 0 to heightRows-1
   * @param mode `edit` hands out the row as it is; `fill` saves that copy, and the caller writes every byte
   */
  beginRow(y: number, mode: 'fill' | 'edit'): Uint8Array;

  /** Stores the row that `beginRow` handed out; costs nothing when it was a direct view. */
  endRow(y: number): void;

  /**
   * Copies `bytes` into row `y`, from `xBytes` on, without a scratch row.
   *
   * @throws RangeError when they do not fit in the row
   */
  writeRow(y: number, bytes: Uint8Array, xBytes?: number): void;
}

/**
 * Gives row access to a plane of a buffer.
 *
 * @param segments the buffer's page runs in order; the buffer's bytes are their concatenation. They may be views of shared memory
 * @param layout where the plane lies among those bytes
 * @throws RangeError when the layout is malformed or reaches past the end of the segments
 */
export function rowsOf(segments: readonly Uint8Array[], layout: PlaneLayout): PlaneRows {
  const { offsetBytes, widthBytes, strideBytes, heightRows } = layout;
  for (const [name, value] of Object.entries({ offsetBytes, widthBytes, strideBytes, heightRows })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot reach the rows of a plane: ${name} must be a whole number, got ${value}`);
    }
  }
  if (strideBytes < widthBytes) {
    throw new RangeError(
      `Cannot reach the rows of a plane: stride ${strideBytes} is less than the row's ${widthBytes} bytes`,
    );
  }
  const sizeBytes = segments.reduce((sum, segment) => sum + segment.length, 0);
  const endBytes = heightRows === 0 ? offsetBytes : offsetBytes + (heightRows - 1) * strideBytes + widthBytes;
  if (endBytes > sizeBytes) {
    throw new RangeError(`Cannot reach the rows of a plane: it ends at byte ${endBytes}, got a buffer of ${sizeBytes}`);
  }
  return segments.length === 1 ? new DirectPlane(segments[0], layout) : new ScatteredPlane(segments, layout);
}

abstract class Plane {
  readonly widthBytes: number;
  readonly strideBytes: number;
  readonly heightRows: number;
  readonly #offsetBytes: number;

  constructor(layout: PlaneLayout) {
    this.#offsetBytes = layout.offsetBytes;
    this.widthBytes = layout.widthBytes;
    this.strideBytes = layout.strideBytes;
    this.heightRows = layout.heightRows;
  }

  /** Offset of row `y` in the buffer, in bytes. */
  protected rowOffset(y: number): number {
    if (!(y >= 0 && y < this.heightRows)) {
      throw new RangeError(`Cannot reach row ${y}: the plane has ${this.heightRows} rows`);
    }
    return this.#offsetBytes + y * this.strideBytes;
  }

  protected checkFit(lengthBytes: number, xBytes: number): void {
    if (xBytes < 0 || xBytes + lengthBytes > this.widthBytes) {
      throw new RangeError(`Cannot write ${lengthBytes} bytes at ${xBytes}: the row has ${this.widthBytes} bytes`);
    }
  }
}

/** A plane in one piece of memory: every row is a direct view. */
class DirectPlane extends Plane implements PlaneRows {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, layout: PlaneLayout) {
    super(layout);
    this.#bytes = bytes;
  }

  row(y: number): Uint8Array {
    const start = this.rowOffset(y);
    return this.#bytes.subarray(start, start + this.widthBytes);
  }

  beginRow(y: number): Uint8Array {
    return this.row(y);
  }

  endRow(): void {}

  writeRow(y: number, bytes: Uint8Array, xBytes = 0): void {
    this.checkFit(bytes.length, xBytes);
    this.#bytes.set(bytes, this.rowOffset(y) + xBytes);
  }
}

/** A plane over several page runs: rows within a run are direct views, straddling rows go through a scratch row. */
class ScatteredPlane extends Plane implements PlaneRows {
  readonly #segments: readonly Uint8Array[];
  /** Offset of each segment's first byte in the buffer, and the buffer's size last. */
  readonly #starts: Float64Array;
  #readScratch: Uint8Array | undefined;
  #writeScratch: Uint8Array | undefined;

  constructor(segments: readonly Uint8Array[], layout: PlaneLayout) {
    super(layout);
    this.#segments = segments;
    this.#starts = new Float64Array(segments.length + 1);
    for (let i = 0; i < segments.length; i++) this.#starts[i + 1] = this.#starts[i] + segments[i].length;
  }

  row(y: number): Uint8Array {
    const direct = this.#directRow(y);
    if (direct) return direct;
    this.#readScratch ??= new Uint8Array(this.widthBytes);
    this.#gather(this.rowOffset(y), this.#readScratch);
    return this.#readScratch;
  }

  beginRow(y: number, mode: 'fill' | 'edit'): Uint8Array {
    const direct = this.#directRow(y);
    if (direct) return direct;
    this.#writeScratch ??= new Uint8Array(this.widthBytes);
    if (mode === 'edit') this.#gather(this.rowOffset(y), this.#writeScratch);
    return this.#writeScratch;
  }

  endRow(y: number): void {
    if (this.#writeScratch && !this.#directRow(y)) this.#scatter(this.rowOffset(y), this.#writeScratch);
  }

  writeRow(y: number, bytes: Uint8Array, xBytes = 0): void {
    this.checkFit(bytes.length, xBytes);
    this.#scatter(this.rowOffset(y) + xBytes, bytes);
  }

  /** The row as a view, or undefined when it straddles segments. */
  #directRow(y: number): Uint8Array | undefined {
    const start = this.rowOffset(y);
    const index = this.#segmentAt(start);
    if (index === this.#segments.length || start + this.widthBytes > this.#starts[index + 1]) return undefined;
    const within = start - this.#starts[index];
    return this.#segments[index].subarray(within, within + this.widthBytes);
  }

  /** Index of the segment that holds byte `offset`: the last one that starts at or before it. */
  #segmentAt(offset: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle + 1] <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #gather(offset: number, into: Uint8Array): void {
    let done = 0;
    for (let index = this.#segmentAt(offset); done < into.length; index++) {
      const from = offset + done - this.#starts[index];
      const piece = this.#segments[index].subarray(from, from + into.length - done);
      into.set(piece, done);
      done += piece.length;
    }
  }

  #scatter(offset: number, from: Uint8Array): void {
    let done = 0;
    for (let index = this.#segmentAt(offset); done < from.length; index++) {
      const within = offset + done - this.#starts[index];
      const count = Math.min(from.length - done, this.#segments[index].length - within);
      this.#segments[index].set(from.subarray(done, done + count), within);
      done += count;
    }
  }
}
