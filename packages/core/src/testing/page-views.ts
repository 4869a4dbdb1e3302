/** The pages of a frame as a job of the driver under test gets them: copies that can be taken away. */

import type { PageViews } from './monitor.js';
import type { Place } from './place.js';

const POISON = 0xa5;

/** Told of a touch that comes too late. */
export type OnTouch = (what: 'read' | 'written') => void;

export class PageCopies {
  /** What the driver gets. */
  readonly views: readonly Uint8Array[];
  readonly #copies: readonly Uint8Array[];
  #ended = false;

  get #poison(): number {
    return this.poison ?? POISON;
  }

  constructor(
    private readonly real: readonly Uint8Array[],
    private readonly kind: PageViews,
    private readonly poison: number | undefined,
    private readonly onTouch: OnTouch,
    /** Where the driver asked for them. */
    readonly place: Place | undefined,
  ) {
    this.#copies = real.map((run) => {
      const copy = new Uint8Array(
        kind === 'quarantined' ? new SharedArrayBuffer(run.length) : new ArrayBuffer(run.length),
      );
      copy.set(run);
      return copy;
    });
    const guard = (copy: Uint8Array): Uint8Array => guarded(copy, () => this.#ended, onTouch);
    this.views = kind === 'guarded' ? this.#copies.map(guard) : this.#copies;
  }

  /** Makes what the driver has written visible. */
  publish(): void {
    for (const [i, copy] of this.#copies.entries()) this.real[i].set(copy);
  }

  /** Takes over what the framework has written. */
  refresh(): void {
    for (const [i, copy] of this.#copies.entries()) copy.set(this.real[i]);
  }

  /** Whether the driver has written something that is not published. */
  get differs(): boolean {
    return this.#copies.some((copy, i) => {
      const run = this.real[i];
      return Buffer.compare(bytesOf(copy), bytesOf(run)) !== 0;
    });
  }

  /** The job is over. */
  retire(): void {
    this.#ended = true;
    for (const copy of this.#copies) {
      if (this.kind === 'quarantined') copy.fill(this.#poison);
      else structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] });
    }
  }

  /** Looks for writes since the end of the job. */
  inspect(): void {
    if (this.kind !== 'quarantined' || !this.#ended) return;
    const isTouched = this.#copies.some((copy) => copy.some((byte) => byte !== this.#poison));
    if (!isTouched) return;
    this.onTouch('written');
    for (const copy of this.#copies) copy.fill(this.#poison);
  }
}

const bytesOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, length);

/** Puts a proxy before a view, which notices each touch. */
function guarded(view: Uint8Array, isOver: () => boolean, onTouch: OnTouch): Uint8Array {
  return new Proxy(view, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (isOver() && isContent(key, value)) {
        onTouch(isWriting(key) ? 'written' : 'read');
        return isIndex(key) ? 0 : value;
      }
      if (typeof value !== 'function') return value;
      // Of the view itself: its methods take no proxy. It may be kept, and called when the job is over.
      return (...args: unknown[]) => {
        if (isOver()) onTouch(isWriting(key) ? 'written' : 'read');
        const result = Reflect.apply(value, target, args) as unknown;
        const isView = result instanceof Uint8Array && result.buffer === target.buffer && result.buffer.byteLength > 0;
        return isView ? guarded(result, isOver, onTouch) : result;
      };
    },
    set(target, key, value) {
      if (isOver() && isIndex(key)) {
        onTouch('written');
        return true;
      }
      return Reflect.set(target, key, value, target);
    },
  });
}

const isIndex = (key: string | symbol): boolean => typeof key === 'string' && /^\d+$/.test(key);

const WRITING = ['set', 'fill', 'copyWithin', 'reverse', 'sort'];
const isWriting = (key: string | symbol): boolean => typeof key === 'string' && WRITING.includes(key);

const isContent = (key: string | symbol, value: unknown): boolean => isIndex(key) || typeof value === 'function';
