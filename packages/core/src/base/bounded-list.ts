/** How many records of one kind a run keeps. Whatever is seldom in a sound run stays far below. */
export const MAX_RECORDS = 10_000;

/** Records for a report: the first so many are kept, those that come later are counted. Nobody waits for room. */
export class BoundedList<T> {
  readonly items: T[] = [];
  dropped = 0;

  /** @param capacity items that are kept, at most */
  constructor(readonly capacity = MAX_RECORDS) {}

  /** @returns whether it was kept */
  add(item: T): boolean {
    const isKept = this.items.length < this.capacity;
    if (isKept) this.items.push(item);
    else this.dropped += 1;
    return isKept;
  }
}
