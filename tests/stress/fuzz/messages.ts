/** Random control messages: some in order, most of them spoilt in one place or more. */
import type { ActorId, RandomStream } from '@dmabuf-lab/core/base';
import type { ExportedBuffer } from '@dmabuf-lab/core/dma-buf';
import { type Message, SENDERS } from './message-board.js';

const KiB = 1024;
/** What may stand where anything else was meant. */
export const JUNK: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => -1,
  () => 0,
  () => 1.5,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 2 ** 32,
  () => 2 ** 53 - 1,
  () => 2 ** 53,
  () => -(2 ** 63),
  () => 10n ** 30n,
  () => '',
  () => 'camera',
  () => 'x'.repeat(5000),
  () => '\ud800 ../../\u0000',
  () => true,
  () => [],
  () => Array(1000),
  () => Array(70).fill('gpu'),
  () => [[[[[[]]]]]],
  () => ({}),
  () => ({ slot: 0, life: 1 }),
  () => ({ heap: 'cma', ion: ['cma'] }),
  () => JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
  () => new Map([['slot', 0]]),
  () => new Date(0),
  () => new Uint8Array(64),
  () => /x/,
];
const METHODS = ['create', 'attach', 'map', 'detach', 'seal', 'destroy'];
const UNKNOWN = ['', 'Create', 'toString', '__proto__', 'constructor', 'peerDied', 'brokenMessage ', 'x'.repeat(300)];

export class MessageSource {
  constructor(
    private readonly random: RandomStream,
    private readonly live: () => readonly ExportedBuffer[],
  ) {}

  next(): Message {
    const message = this.#inOrder();
    const draw = this.random.uniform();
    if (draw < 0.3) return message;
    if (draw < 0.7) return this.#spoilt(message, 1 + this.random.integer(3));
    const broken = true;
    if (draw < 0.74) return { ...message, args: this.#junk(), broken: false };
    if (draw < 0.78) return { ...message, method: this.#of(UNKNOWN), broken };
    if (draw < 0.82) return { ...message, method: this.#of(METHODS), broken: false };
    if (draw < 0.86) return { ...message, args: { ...(message.args as object), surplus: this.#junk() ?? 1 }, broken };
    if (draw < 0.9)
      return { ...message, args: { ...(message.args as object), version: 2 + this.random.integer(9) }, broken };
    return { ...message, from: this.#of([...SENDERS.keys(), 'stranger', 'exporter']) };
  }

  /** A message that a device could have sent. */
  #inOrder(): Message {
    const from = this.random.uniform() < 0.03 ? 'rogue' : this.#of(['camera', 'gpu', 'encoder']);
    const actor = SENDERS.get(from) as ActorId;
    const live = this.live();
    const draw = this.random.uniform();
    const buffer = live.length === 0 ? undefined : this.#of(live);
    if (buffer === undefined || draw < 0.15)
      return { from, method: 'create', args: this.#create(actor), broken: false };
    const handle = { slot: buffer.slot, life: buffer.life };
    if (draw < 0.4) return { from, method: 'attach', args: this.#attach(handle, from, actor), broken: false };
    const own = [...buffer.attachments.values()].filter((attached) => attached.actor === actor);
    const attachment = own.length === 0 ? this.random.integer(32) : this.#of(own).slot;
    if (draw < 0.6) return { from, method: 'map', args: { buffer: handle, attachment }, broken: false };
    if (draw < 0.85) {
      const args = { buffer: handle, attachment, ended: this.random.uniform() < 0.5 };
      return { from, method: 'detach', args, broken: false };
    }
    return { from, method: draw < 0.9 ? 'seal' : 'destroy', args: { buffer: handle }, broken: false };
  }

  #create(actor: ActorId): Record<string, unknown> {
    const allocate = this.#of<unknown>([
      'deferred',
      'deferred',
      { heap: 'cma' },
      { heap: 'vram' },
      { ion: ['cma', 'system'] },
      { onDevice: this.#constraints('encoder') },
    ]);
    return {
      actor,
      name: `frame ${this.random.integer(4)}`,
      pool: 'camera.out',
      sizeBytes: this.random.integer(64) * 4 * KiB,
      allocate,
      expect: this.random.uniform() < 0.2 ? ['display'] : [],
      expectTimeoutNs: this.random.integer(10_000),
    };
  }

  #attach(buffer: object, device: string, actor: ActorId): Record<string, unknown> {
    const isDynamic = this.random.uniform() < 0.3;
    return {
      buffer,
      device,
      actor,
      constraints: this.#constraints(device),
      mapping: this.#of(['per-job', 'held']),
      ...(isDynamic && { importer: 'dynamic', pin: this.random.uniform() < 0.5 }),
    };
  }

  #constraints(device: string): Record<string, unknown> {
    return this.#of<Record<string, unknown>>([
      { device },
      { device, iommu: { iovaBits: 32, physBits: 32 } },
      { device, contiguous: true, addressLimit: 0xffff_ffff },
      { device, windows: [{ base: 0x4000_0000, sizeBytes: 2 ** 27 }], maxSegments: 4 },
      { device, addressLimit: 0xff_ffff },
      { device, iommu: { iovaBits: 20 }, maxSegmentBytes: 1 + this.random.integer(70_000) },
      { device, segmentBoundaryMask: 0xffff, alignmentBytes: 1 + this.random.integer(70_000) },
      { device, heaps: ['cma'], coherency: ['cpu', 'ram'], prefers: { coherency: 'cpu', cost: 1 } },
    ]);
  }

  /** Changes a message in so many places; what comes out may be in order by chance. */
  #spoilt(message: Message, places: number): Message {
    const args = structuredClone(message.args);
    for (let i = 0; i < places; i += 1) this.#spoil(args as Record<string, unknown>);
    return { ...message, args, broken: false };
  }

  #spoil(record: Record<string, unknown>): void {
    const key = this.#of(Object.keys(record));
    const value = record[key];
    if (isPlain(value) && this.random.uniform() < 0.8) {
      this.#spoil(value);
      return;
    }
    const draw = this.random.uniform();
    if (draw < 0.2) delete record[key];
    else if (draw < 0.5 && typeof value === 'number') record[key] = value + this.#of([-1, 1, 0.5, 2 ** 31, -(2 ** 31)]);
    else record[key] = this.#junk();
    if (Object.keys(record).length === 0) record.nothing = null;
  }

  #junk(): unknown {
    return this.#of(JUNK)();
  }

  #of<T>(list: readonly T[]): T {
    return list[this.random.integer(list.length)];
  }
}

/** Whether there is something in it that can be spoilt. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  const isCollection = Array.isArray(value) || Object.prototype.toString.call(value) === '[object Object]';
  return isCollection && Object.keys(value as object).length > 0;
}
