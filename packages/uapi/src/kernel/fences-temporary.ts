/** Stands in until core/sync has fence objects; to be deleted. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { ResvUsage } from '@dmabuf-lab/core/sync';

export type FenceCallback = () => void;

export class FenceObject {
  #status = 0;
  #callbacks: FenceCallback[] = [];
  timestampNs: number | undefined;
  constructor(
    readonly driverName: string,
    readonly timelineName: string,
    readonly context: number,
    readonly seqno: number,
  ) {}
  get status(): number {
    return this.#status;
  }
  get isSignalled(): boolean {
    return this.#status !== 0;
  }
  addCallback(callback: FenceCallback): void {
    if (this.isSignalled) throw new ErrnoError('ENOENT', 'dma_fence_add_callback', 'Cannot add a callback: signalled');
    this.#callbacks.push(callback);
  }
  signal(nowNs: number, status = 1): void {
    if (this.isSignalled) return;
    this.#status = status;
    this.timestampNs = Math.max(1, nowNs);
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
  setDeadline(_ns: number): void {}
}

export class ArrayFence extends FenceObject {
  constructor(
    readonly members: readonly FenceObject[],
    context: number,
  ) {
    super('dma_fence_array', 'unbound', context, 1);
    let left = 0;
    for (const member of members) {
      if (member.isSignalled) continue;
      left += 1;
      member.addCallback(() => {
        left -= 1;
        if (left === 0) this.signal(member.timestampNs ?? 1);
      });
    }
    if (left === 0) this.signal(1);
  }
}

export function* unwrapFence(fence: FenceObject): Generator<FenceObject> {
  if (fence instanceof ArrayFence) yield* fence.members;
  else yield fence;
}

export class KernelFences {
  #contexts = 0;
  readonly stub = new FenceObject('stub', 'stub', 0, 0);
  constructor() {
    this.stub.signal(1);
  }
  nextContext(): number {
    this.#contexts += 1;
    return this.#contexts;
  }
}

export function mergeFences(fences: readonly FenceObject[], kernel: KernelFences): FenceObject {
  const leaves = fences.flatMap((fence) => [...unwrapFence(fence)]).filter((fence) => !fence.isSignalled);
  const unique = [...new Set(leaves)].sort((a, b) => a.context - b.context);
  if (unique.length === 0) return kernel.stub;
  return unique.length === 1 ? unique[0] : new ArrayFence(unique, kernel.nextContext());
}

export class FenceReservation {
  readonly #list: { fence: FenceObject; usage: ResvUsage }[] = [];
  reserve(_count: number): void {}
  add(fence: FenceObject, usage: ResvUsage): void {
    const at = this.#list.findIndex(
      (one) =>
        (one.fence.context === fence.context && one.usage >= usage && fence.seqno >= one.fence.seqno) ||
        one.fence.isSignalled,
    );
    if (at >= 0) this.#list[at] = { fence, usage };
    else this.#list.push({ fence, usage });
  }
  fences(upTo: ResvUsage): { fence: FenceObject; usage: ResvUsage }[] {
    return this.#list.filter(({ usage }) => usage <= upTo);
  }
  testSignalled(upTo: ResvUsage): boolean {
    return this.fences(upTo).every(({ fence }) => fence.isSignalled);
  }
  singleton(upTo: ResvUsage, kernel: KernelFences): FenceObject | undefined {
    const pending = this.fences(upTo).filter(({ fence }) => !fence.isSignalled);
    if (pending.length === 0) return undefined;
    if (pending.length === 1) return pending[0].fence;
    return new ArrayFence(
      pending.map(({ fence }) => fence),
      kernel.nextContext(),
    );
  }
}
export { ResvUsage };
