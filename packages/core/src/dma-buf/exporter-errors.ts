/** What the exporter throws, with errno, operation and reason. */
import { assert, ErrnoError } from '../base/index.js';
import type { BufferPlan } from '../constraints/index.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { BufferHandle } from './protocol.js';
import type { SlotWatch } from './slot-watch.js';

export function staleHandle(op: string, handle: BufferHandle): ErrnoError {
  return new ErrnoError('ESTALE', op, `Cannot use buffer ${handle.slot} of life ${handle.life}: it is gone`, {
    ...handle,
  });
}

export function refusedByPlan(buffer: ExportedBuffer, device: string, { refusal }: BufferPlan): ErrnoError {
  assert(refusal !== undefined, 'a plan that refuses says why');
  const { errno, call, reason, holders, conflict } = refusal;
  if (errno === 'EBUSY') return cannotMove(buffer, device, reason, holders);
  const details = { buffer: buffer.name, device, holders, conflict };
  return new ErrnoError(errno, call, `Cannot attach ${device} to ${buffer.name}: ${reason}`, details);
}

export function cannotMove(
  buffer: ExportedBuffer,
  device: string,
  reason: string,
  holders: readonly string[],
): ErrnoError {
  return new ErrnoError('EBUSY', 'dma_buf_attach', `Cannot move ${buffer.name} for ${device}: ${reason}`, {
    buffer: buffer.name,
    device,
    holders,
  });
}

export function detachedMeanwhile(buffer: ExportedBuffer, device: string): ErrnoError {
  const message = `Cannot map ${buffer.name}: ${device} has detached meanwhile`;
  return new ErrnoError('ECANCELED', 'dma_buf_map_attachment', message, { buffer: buffer.name, device });
}

export function exporterDied(buffer: ExportedBuffer, op: string): ErrnoError {
  const message = `Cannot use ${buffer.name}: the driver that exported it has died`;
  return new ErrnoError('ENODEV', op, message, { buffer: buffer.name });
}

/** Looks at a buffer. @throws ErrnoError EIO when its control words have been overwritten */
export function refuseCorrupt(watch: SlotWatch | undefined, buffer: ExportedBuffer, op: string): void {
  const what = watch?.look(buffer);
  if (what !== undefined) throw corruptSlot(buffer, op, what);
}

function corruptSlot(buffer: ExportedBuffer, op: string, what: string): ErrnoError {
  const message = `Cannot use ${buffer.name}: its control words have been overwritten: ${what}`;
  return new ErrnoError('EIO', op, message, { buffer: buffer.name, what });
}
