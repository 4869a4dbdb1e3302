/** The ioctls that every DRM device has: version, capabilities, GEM, PRIME, dumb buffers. Source: drm_ioctl.c, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import * as abi from '../../abi/drm.js';
import { O, PAGE_BYTES } from '../../abi/fcntl.js';
import { DmaBufFile } from '../../files/dma-buf.js';
import { pageAligned } from '../../kernel/pages.js';
import type { DrmDevice } from './drm-device.js';
import type { DrmFile } from './drm-file.js';
import { GemObject } from './gem-object.js';
import { ImportedBuffer } from './imported.js';
import { type DrmIoctl, drmIoctl, PERMIT, plainIoctl, type StructCall } from './ioctl-table.js';

const U32_MAX = 0xffff_ffff;

/** Source: drm_mode_create_dumb, drm_gem_shmem_dumb_create. */
function createDumb({ file, data }: StructCall<ReturnType<typeof abi.drmModeCreateDumb.decode>>): void {
  const op = abi.DRM_IOCTL_MODE_CREATE_DUMB.name;
  const { width, height, bpp } = data;
  const refuse = (why: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot make a dumb buffer: ${why}`);
  if (width === 0 || height === 0 || bpp === 0) throw refuse(`${width}x${height} of ${bpp} bits`);
  const bytes = Math.ceil(bpp / 8);
  if (bpp > U32_MAX - 8 || bytes > Math.floor(U32_MAX / width)) throw refuse('a row is too long');
  const row = bytes * width;
  if (height > Math.floor(U32_MAX / row)) throw refuse('it is too large');
  if (pageAligned(row * height) > U32_MAX) throw refuse('it is too large');
  const { device } = file;
  data.pitch = device.driver.dumbPitch?.(width, bpp) ?? Math.ceil(((width * bpp) % 2 ** 32) / 8);
  const sizeBytes = pageAligned(data.pitch * height);
  const object = new GemObject(device, sizeBytes, device.pages);
  if (device.driver.takesPagesAtOnce) object.pages();
  data.size = BigInt(sizeBytes);
  data.handle = file.createHandle(object);
  object.drop();
}

/** Source: drm_gem_dumb_map_offset. */
function mapDumb({ file, data }: StructCall<ReturnType<typeof abi.drmModeMapDumb.decode>>): void {
  const op = abi.DRM_IOCTL_MODE_MAP_DUMB.name;
  const object = file.needObject(data.handle, op);
  if (object.imported !== undefined) throw new ErrnoError('EINVAL', op, 'Cannot map an imported object');
  data.offset = BigInt(file.device.rangeOf(object));
}

function closeGem(file: DrmFile, handle: number, op: string): void {
  if (!file.closeHandle(handle)) throw new ErrnoError('EINVAL', op, `Cannot close handle ${handle}: there is none`);
}

/** Source: drm_gem_prime_handle_to_fd, drm_gem_prime_handle_to_dmabuf. */
function handleToFd({ file, process, data }: StructCall<ReturnType<typeof abi.drmPrimeHandle.decode>>): void {
  const op = abi.DRM_IOCTL_PRIME_HANDLE_TO_FD.name;
  const { handle, flags } = data;
  if ((flags & ~(abi.DRM_CLOEXEC | abi.DRM_RDWR)) !== 0) {
    throw new ErrnoError('EINVAL', op, `Cannot export: flags 0x${flags.toString(16)}`);
  }
  process.fds.reserve();
  const object = file.needObject(handle, op);
  const known = file.primeBuffer(handle);
  const buffer = known?.hold() ?? bufferOf(object, flags);
  if (known === undefined) file.addPrime(buffer, handle);
  data.fd = process.install(buffer, flags & O.CLOEXEC);
}

/** The dma-buf of an object, held once for the caller. */
function bufferOf(object: GemObject, flags: number): DmaBufFile {
  if (object.imported !== undefined) return object.imported.buffer.hold();
  if (object.dmaBuf !== undefined) return object.dmaBuf.hold();
  const { kernel } = object.device;
  const buffer = new DmaBufFile(
    kernel,
    {
      name: object.device.driver.exporterName ?? 'drm',
      sizeBytes: object.sizeBytes,
      reservation: object.reservation,
      gemObject: object.hold(),
      attach: () => checkAttach(object),
      mmap: (vma) => object.map(vma),
      vmap: () => object.pages(),
      release: () => object.drop(),
    },
    flags & O.ACCMODE,
  );
  object.dmaBuf = buffer.hold();
  return buffer;
}

/** Source: drm_gem_map_attach. @throws ErrnoError ENOSYS */
function checkAttach({ device: { driver } }: GemObject): void {
  if (driver.canAttach === false) {
    throw new ErrnoError('ENOSYS', 'dma_buf_attach', `Cannot attach: ${driver.name} has no list of pages to give`);
  }
}

/** Source: drm_gem_prime_fd_to_handle. */
function fdToHandle({ file, process, data }: StructCall<ReturnType<typeof abi.drmPrimeHandle.decode>>): void {
  const op = abi.DRM_IOCTL_PRIME_FD_TO_HANDLE.name;
  const buffer = process.fds.file(data.fd, op);
  if (!(buffer instanceof DmaBufFile))
    throw new ErrnoError('EINVAL', op, `Cannot import descriptor ${data.fd}: it is no dma-buf`);
  const known = file.primeHandle(buffer);
  if (known !== undefined) {
    data.handle = known;
    return;
  }
  const object = importObject(file, buffer, op);
  if (object.dmaBuf === undefined) object.dmaBuf = buffer.hold();
  data.handle = file.createHandle(object);
  object.drop();
  file.addPrime(buffer, data.handle);
}

/** Source: drm_gem_prime_import_dev. @returns held once @throws ErrnoError EINVAL, and what exporter and driver say */
function importObject({ device }: DrmFile, buffer: DmaBufFile, op: string): GemObject {
  const own = buffer.exporter.gemObject;
  if (own instanceof GemObject && own.device === device) return own.hold();
  if (!device.driver.canImport) throw new ErrnoError('EINVAL', op, `Cannot import: ${device.driver.name} cannot`);
  const imported = new ImportedBuffer(device.kernel, buffer, device.driver.name);
  try {
    checkImported(device, imported, op);
  } catch (error) {
    imported.release();
    throw error;
  }
  const size = Math.ceil(buffer.sizeBytes / PAGE_BYTES) * PAGE_BYTES;
  return new GemObject(device, size, device.kernel.pages, imported);
}

/** Source: gem_prime_import_sg_table of struct drm_driver. @throws ErrnoError what the driver has against it */
function checkImported({ driver }: DrmDevice, imported: ImportedBuffer, op: string): void {
  if (driver.refusesImported !== undefined) {
    throw new ErrnoError(driver.refusesImported, op, `Cannot import: ${driver.name} takes no pages`);
  }
  const problem = driver.checksImported ? imported.problem() : undefined;
  if (problem !== undefined) throw new ErrnoError(problem.errno, op, `Cannot import: ${problem.message}`);
}

/** Source: drm_getcap. */
function getCap({ file, data }: StructCall<ReturnType<typeof abi.drmGetCap.decode>>): void {
  const op = abi.DRM_IOCTL_GET_CAP.name;
  const { driver } = file.device;
  data.value = 0n;
  const value = commonCapability(Number(data.capability), driver.hasSyncobj);
  if (value !== undefined) {
    data.value = BigInt(value);
    return;
  }
  if (!driver.hasModeSetting) throw new ErrnoError('EOPNOTSUPP', op, `Cannot tell: ${driver.name} sets no modes`);
  const known = driver.capability?.(Number(data.capability));
  if (known === undefined) throw new ErrnoError('EINVAL', op, `Cannot tell: there is no capability ${data.capability}`);
  data.value = BigInt(known);
}

function commonCapability(capability: number, hasSyncobj: boolean): number | undefined {
  switch (capability) {
    case abi.DRM_CAP.TIMESTAMP_MONOTONIC:
      return 1;
    case abi.DRM_CAP.PRIME:
      return abi.DRM_PRIME_CAP.IMPORT | abi.DRM_PRIME_CAP.EXPORT;
    case abi.DRM_CAP.SYNCOBJ:
    case abi.DRM_CAP.SYNCOBJ_TIMELINE:
      return hasSyncobj ? 1 : 0;
    default:
      return undefined;
  }
}

/** Source: drm_version. Lengths become those of the strings; what does not fit is cut off. */
function version({ file, process, data }: StructCall<ReturnType<typeof abi.drmVersion.decode>>): void {
  const { name } = file.device.driver;
  const bytes = Uint8Array.from(Buffer.from(name));
  const room = Math.min(Number(data.name_len), bytes.length);
  if (room > 0 && data.name !== 0n) process.user.write(data.name, bytes.subarray(0, room), abi.DRM_IOCTL_VERSION.name);
  data.name_len = BigInt(bytes.length);
  data.date_len = 0n;
  data.desc_len = 0n;
  data.version_major = 1;
}

/** Source: drm_setmaster_ioctl. */
function setMaster(file: DrmFile): void {
  const { device } = file;
  if (file.isMaster) return;
  if (device.master !== undefined) {
    throw new ErrnoError('EBUSY', abi.DRM_IOCTL_SET_MASTER.name, 'Cannot become master: another file is');
  }
  device.master = file;
}

/** Source: drm_dropmaster_ioctl. */
function dropMaster(file: DrmFile): void {
  if (!file.isMaster)
    throw new ErrnoError('EINVAL', abi.DRM_IOCTL_DROP_MASTER.name, 'Cannot drop master: the file is not');
  file.device.master = undefined;
}

const notSupported = (name: string, nr: number, permit: number): [number, DrmIoctl] => [
  nr,
  {
    name,
    number: nr,
    sizeBytes: 0,
    permit,
    run: () => {
      throw new ErrnoError('EOPNOTSUPP', name, `Cannot do ${name}: the driver does not support it`);
    },
  },
];

/** Mode setting, for devices without: those that ask for the master, and the others. */
const MODE_MASTER = [0xa2, 0xa3, 0xa5, 0xab, 0xb0, 0xb1, 0xb7, 0xba, 0xbb, 0xbc];
const MODE_ANYBODY = [
  0x0d, 0xa0, 0xa1, 0xa4, 0xa6, 0xa7, 0xaa, 0xac, 0xad, 0xae, 0xaf, 0xb5, 0xb6, 0xb8, 0xb9, 0xbd, 0xbe, 0xce, 0xd0,
];
/** Syncobj, for devices without. */
const SYNCOBJ = [0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xca, 0xcb, 0xcc, 0xcd, 0xcf];

export const coreIoctls: ReadonlyMap<number, DrmIoctl> = new Map([
  drmIoctl(abi.DRM_IOCTL_VERSION, PERMIT.RENDER_ALLOW, version),
  drmIoctl(abi.DRM_IOCTL_GET_UNIQUE, 0, ({ data }) => {
    data.unique_len = 0n; // no name has been set
  }),
  drmIoctl(abi.DRM_IOCTL_GEM_CLOSE, PERMIT.RENDER_ALLOW, ({ file, data }) =>
    closeGem(file, data.handle, abi.DRM_IOCTL_GEM_CLOSE.name),
  ),
  drmIoctl(abi.DRM_IOCTL_GEM_FLINK, PERMIT.AUTH, ({ file, data }) => {
    const object = file.needObject(data.handle, abi.DRM_IOCTL_GEM_FLINK.name);
    data.name = file.device.nameFor(object);
  }),
  drmIoctl(abi.DRM_IOCTL_GEM_OPEN, PERMIT.AUTH, ({ file, data }) => {
    const object = file.device.names.get(data.name);
    if (object === undefined) {
      throw new ErrnoError('ENOENT', abi.DRM_IOCTL_GEM_OPEN.name, `Cannot open name ${data.name}: there is none`);
    }
    data.handle = file.createHandle(object);
    data.size = BigInt(object.sizeBytes);
  }),
  drmIoctl(abi.DRM_IOCTL_GET_CAP, PERMIT.RENDER_ALLOW, getCap),
  plainIoctl(abi.DRM_IOCTL_SET_MASTER, 0, setMaster),
  plainIoctl(abi.DRM_IOCTL_DROP_MASTER, 0, dropMaster),
  drmIoctl(abi.DRM_IOCTL_PRIME_HANDLE_TO_FD, PERMIT.RENDER_ALLOW, handleToFd),
  drmIoctl(abi.DRM_IOCTL_PRIME_FD_TO_HANDLE, PERMIT.RENDER_ALLOW, fdToHandle),
  drmIoctl(abi.DRM_IOCTL_MODE_CREATE_DUMB, 0, createDumb),
  drmIoctl(abi.DRM_IOCTL_MODE_MAP_DUMB, 0, mapDumb),
  drmIoctl(abi.DRM_IOCTL_MODE_DESTROY_DUMB, 0, ({ file, data }) =>
    closeGem(file, data.handle, abi.DRM_IOCTL_MODE_DESTROY_DUMB.name),
  ),
  ...MODE_MASTER.map((nr) => notSupported('mode setting', nr, PERMIT.MASTER)),
  ...MODE_ANYBODY.map((nr) => notSupported('mode setting', nr, 0)),
  ...SYNCOBJ.map((nr) => notSupported('a sync object call', nr, PERMIT.RENDER_ALLOW)),
]);
