/** What a dma-buf object finds against its users, where Linux looks on or only warns. */
import { isErrno } from '../../base/index.js';
import type { ObjectAttachment, ObjectMapping } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import type { DataDirection } from './object-ops.js';
import type { DmaBufRules } from './rules.js';

type AnyAttachment = Pick<ObjectAttachment<unknown>, 'device' | 'pins' | 'isDynamic' | 'isAttached'> & {
  readonly mappings: ReadonlySet<{ readonly name: string }>;
  readonly buffer: { readonly name: string };
};
type AnyMapping = Pick<ObjectMapping<unknown>, 'name' | 'direction' | 'number'> & {
  readonly attachment: { readonly isAttached: boolean };
};

/** Each method returns when the call is fine or only noted, and throws the refusal in strict mode. */
export class ObjectAudit {
  constructor(
    private readonly rules: DmaBufRules,
    private readonly buffer: string,
  ) {}

  /** Source: WARN_ON in dma_buf_detach, v6.12. */
  detachForeign(caller: DmaBufCaller, { device, buffer }: AnyAttachment): void {
    const reason = buffer.name === this.buffer ? 'it is not attached' : `it is an attachment of ${buffer.name}`;
    this.rules.report({
      ...this.#by(caller, 'dma_buf_detach'),
      kind: 'detach-foreign',
      code: 'EINVAL',
      message: `Cannot detach ${device} from ${this.buffer}: ${reason}`,
    });
  }

  detach(caller: DmaBufCaller, { device, mappings, pins }: AnyAttachment): void {
    const names = [...mappings].map(({ name }) => name);
    const refuse = (kind: 'detach-while-mapped' | 'detach-while-pinned', reason: string): void =>
      this.rules.report({
        ...this.#by(caller, 'dma_buf_detach'),
        kind,
        code: 'EBUSY',
        message: `Cannot detach ${device} from ${this.buffer}: ${reason}`,
        details: { mappings: names, pins },
      });
    if (names.length > 0) refuse('detach-while-mapped', `it is mapped (${names.join(', ')})`);
    if (pins > 0) refuse('detach-while-pinned', `it holds ${pins} pins`);
  }

  /** Source: WARN_ON in dma_buf_pin, v6.12. */
  pin(caller: DmaBufCaller, { device, isDynamic }: AnyAttachment): void {
    if (isDynamic) return;
    this.rules.report({
      ...this.#by(caller, 'dma_buf_pin'),
      kind: 'pin-by-static-importer',
      code: 'EINVAL',
      message: `Cannot pin ${this.buffer} for ${device}: its importer does not follow moves, so its mappings are pinned`,
    });
  }

  unpinUnbalanced(caller: DmaBufCaller, { device }: AnyAttachment): void {
    this.rules.report({
      ...this.#by(caller, 'dma_buf_unpin'),
      kind: 'unpin-unbalanced',
      code: 'EINVAL',
      message: `Cannot unpin ${this.buffer} for ${device}: it has no pin`,
    });
  }

  /** Source: WARN_ON_ONCE in dma_buf_map_attachment of later kernels. */
  pinForMapFailed(caller: DmaBufCaller, { device }: AnyAttachment, error: unknown): void {
    if (!isErrno(error, 'EBUSY')) return;
    this.rules.note({
      ...this.#by(caller, 'dma_buf_map_attachment'),
      kind: 'pin-refused-as-busy',
      message: `${this.buffer} cannot be pinned for ${device}: the exporter put it out of reach of a device attached to it`,
    });
  }

  unmapTwice(caller: DmaBufCaller, { name, number }: AnyMapping): void {
    this.rules.report({
      ...this.#by(caller, 'dma_buf_unmap_attachment'),
      kind: 'unmap-twice',
      code: 'EINVAL',
      message: `Cannot unmap ${name} of ${this.buffer}: it is unmapped, or a mapping of another buffer`,
      details: { mapping: number },
    });
  }

  unmap(caller: DmaBufCaller, mapping: AnyMapping, direction: DataDirection): void {
    const refuse = (kind: 'unmap-after-detach' | 'unmap-other-direction', reason: string): void =>
      this.rules.report({
        ...this.#by(caller, 'dma_buf_unmap_attachment'),
        kind,
        code: 'EINVAL',
        message: `Cannot unmap ${mapping.name} of ${this.buffer}: ${reason}`,
        details: { mapping: mapping.number, direction },
      });
    if (!mapping.attachment.isAttached) refuse('unmap-after-detach', 'its attachment is gone');
    if (direction !== mapping.direction) refuse('unmap-other-direction', `it is unmapped as ${direction}`);
  }

  cpuAccessUnbalanced(caller: DmaBufCaller, direction: DataDirection, open: readonly string[]): void {
    const others = open.length === 0 ? 'none is open' : `open are ${open.join(', ')}`;
    this.rules.report({
      ...this.#by(caller, 'dma_buf_end_cpu_access'),
      kind: 'cpu-access-unbalanced',
      code: 'EINVAL',
      message: `Cannot end a ${direction} CPU access of ${this.buffer}: ${others}`,
      details: { direction, open },
    });
  }

  /** Source: WARN_ON in dma_buf_release, v6.12. */
  release(caller: DmaBufCaller, attachments: Iterable<AnyAttachment>, accesses: readonly string[]): void {
    const devices = [...attachments].map(({ device, mappings }) => {
      return mappings.size === 0 ? device : `${device} (${mappings.size} mappings)`;
    });
    const refuse = (kind: 'release-while-attached' | 'cpu-access-open-at-release', reason: string): void =>
      this.rules.report({
        ...this.#by(caller, 'dma_buf_release'),
        kind,
        code: 'EBUSY',
        message: `Cannot release ${this.buffer}: ${reason}`,
        details: { attachments: devices, cpuAccesses: accesses },
      });
    if (devices.length > 0) refuse('release-while-attached', `still attached are ${devices.join(', ')}`);
    if (accesses.length > 0) refuse('cpu-access-open-at-release', `CPU accesses are open: ${accesses.join(', ')}`);
  }

  #by(caller: DmaBufCaller, op: string): { op: string; buffer: string; who: string } {
    return { op, buffer: this.buffer, who: caller.name };
  }
}
