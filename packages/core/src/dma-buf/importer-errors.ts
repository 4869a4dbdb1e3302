/** What the importer throws, with errno, operation and reason. */
import { ErrnoError } from '../base/index.js';
import type { DmaBufAttachment } from './dma-mapping.js';

type Named = Pick<DmaBufAttachment, 'name'>;

const MAP = 'dma_buf_map_attachment';

export function stillInUse(device: string, { name }: Named, how: string): ErrnoError {
  return new ErrnoError('EBUSY', 'dma_buf_detach', `Cannot detach ${device} from ${name}: it is still ${how}`);
}

export function letGoMeanwhile(device: string, { name }: Named): ErrnoError {
  const message = `Cannot map ${name} for ${device}: another job of the device has let go of it meanwhile`;
  return new ErrnoError('ECANCELED', MAP, message, { device, buffer: name });
}

export function ownerDied(device: string, { name }: Named): ErrnoError {
  const message = `Cannot map ${name} for ${device}: the driver that exported it has died`;
  return new ErrnoError('ENODEV', MAP, message, { device, buffer: name });
}

export function wouldDeadlock(device: string, { name }: Named): ErrnoError {
  const message =
    `Cannot map ${name} for ${device}: it is being moved, and the move may be waiting for a fence ` +
    'that this job has published and not signalled; signal first, or serve frames in generators of their own';
  return new ErrnoError('EDEADLK', MAP, message, { device, buffer: name });
}

/** @param first the line that has ended it; absent where call sites are not kept, as `second`, the line that does so again */
export function unmappedTwice(device: string, { name }: Named, first?: string, second?: string): ErrnoError {
  const message = `Cannot unmap ${name} for ${device}: this mapping has ended already${placesOf(first, second)}`;
  return new ErrnoError('EINVAL', 'dma_buf_unmap_attachment', message, { device, buffer: name, first, second });
}

/** @param first the line that has detached it; absent where call sites are not kept, as `second`, the line that does so again */
export function detachedTwice(device: string, { name }: Named, first?: string, second?: string): ErrnoError {
  const message = `Cannot detach ${device} from ${name}: it is detached already${placesOf(first, second)}`;
  return new ErrnoError('ESTALE', 'dma_buf_detach', message, { device, buffer: name, first, second });
}

const placesOf = (first: string | undefined, second: string | undefined): string =>
  first === undefined ? '' : `, at ${first}, and now again at ${second}`;

export function touchedAfterUnmap(device: string, { name }: Named, generation: number): ErrnoError {
  const message = `${device} touched ${name}, generation ${generation}, after unmapping it`;
  return new ErrnoError('EFAULT', 'dma_access', message, { device, buffer: name, generation });
}
