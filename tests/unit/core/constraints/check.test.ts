import {
  type AddressRun,
  checkDeviceConstraints,
  checkMapping,
  type DeviceConstraints,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const KiB = 1024;
const encoder: DeviceConstraints = { device: 'encoder', addressLimit: 0xffff_ffff };

function run(address: number, lengthBytes = 64 * KiB): AddressRun {
  return { address, lengthBytes };
}

test('checkMapping, names the run and the limit, for a page above the 32-bit limit', (t) => {
  t.deepEqual(checkMapping([run(0), run(0x4000_0000), run(0x2000_0000), run(0x1_8000_0000)], encoder), {
    field: 'addressLimit',
    message: 'run 3 at 0x1_8000_0000 +64 KiB ends above the 32-bit limit 0xFFFF_FFFF of encoder',
    runIndex: 3,
    value: 0x1_8000_ffff,
    limit: 0xffff_ffff,
    errno: 'EIO',
  });
});

test('checkMapping, takes the limit as inclusive, for a run that ends at it and one byte above', (t) => {
  t.is(checkMapping([run(0xffff_0000)], encoder), undefined);
  t.is(checkMapping([run(0xffff_0000)], { ...encoder, addressLimit: 0xffff_fffe })?.field, 'addressLimit');
  const venus = { device: 'venus', addressLimit: 0xdfff_ffff };
  t.regex(checkMapping([run(0xe000_0000)], venus)?.message ?? '', /above the limit 0xDFFF_FFFF of venus/);
});

test('checkMapping, joins abutting windows and refuses a run outside them, for dma-ranges', (t) => {
  const windows = [run(0x5000_0000), run(0x4000_0000, 0x1000_0000)].map((r) => ({
    base: r.address,
    sizeBytes: r.lengthBytes,
  }));
  const device: DeviceConstraints = { device: 'lcdif', windows };
  t.is(checkMapping([run(0x4fff_8000)], device), undefined);
  const broken = checkMapping([run(0x4000_0000), run(0x3fff_f000)], device);
  t.like(broken, { field: 'windows', runIndex: 1, errno: 'EIO' });
});

test('checkMapping, names the run that does not follow, for a device that needs contiguous memory', (t) => {
  const device: DeviceConstraints = { device: 'vc4', contiguous: true };
  t.is(checkMapping([run(0), run(64 * KiB)], device), undefined, 'abutting runs are contiguous');
  const broken = checkMapping([run(0), run(64 * KiB), run(256 * KiB)], device);
  t.like(broken, { field: 'contiguous', runIndex: 2, value: 256 * KiB, limit: 128 * KiB, errno: 'EINVAL' });
  t.is(checkMapping([run(0), run(256 * KiB)], { ...device, iommu: { iovaBits: 32 } }), undefined);
});

test('checkMapping, lets a contiguous device have several segments, unless it limits them', (t) => {
  const device: DeviceConstraints = { device: 'mmc', contiguous: true, maxSegmentBytes: 32 * KiB };
  t.is(checkMapping([run(0)], device), undefined);
  t.is(checkMapping([run(0)], { ...device, maxSegments: 2 }), undefined);
  t.like(checkMapping([run(0)], { ...device, maxSegments: 1 }), { field: 'maxSegments', value: 2, limit: 1 });
});

test('checkMapping, checks the start as the device sees it, for an alignment', (t) => {
  const device: DeviceConstraints = { device: 'isp', alignmentBytes: 64 * KiB };
  t.like(checkMapping([run(4096)], device), { field: 'alignmentBytes', value: 4096, errno: 'EINVAL' });
  t.is(checkMapping([run(128 * KiB)], device), undefined);
  const translated: DeviceConstraints = { ...device, iommu: { iovaBits: 32 } };
  t.is(checkMapping([run(4096)], translated, 64 * KiB), undefined);
  t.like(checkMapping([run(64 * KiB)], translated, 4096), { field: 'alignmentBytes', value: 4096 });
});

test('checkMapping, limits pages by physBits and IOVAs by the aperture and the limit, behind an IOMMU', (t) => {
  const vop: DeviceConstraints = { device: 'vop', iommu: { iovaBits: 32, physBits: 40 } };
  t.is(checkMapping([run(0xff_ffff_0000)], vop, 0xffff_0000), undefined);
  t.like(checkMapping([run(0), run(0xff_ffff_1000)], vop), { field: 'iommu.physBits', runIndex: 1, errno: 'EIO' });
  t.like(checkMapping([run(0)], vop, 0xffff_1000), { field: 'iommu.iovaBits', errno: 'ENOMEM' });
  const limited = { ...vop, addressLimit: 0x7fff_ffff };
  t.like(checkMapping([run(0)], limited, 0x8000_0000), { field: 'addressLimit', limit: 0x7fff_ffff, errno: 'ENOMEM' });
  const based: DeviceConstraints = {
    device: 'isp',
    iommu: { iovaBits: 32, iovaBase: 0x4000_0000, iovaSizeBytes: 64 * KiB },
  };
  t.is(checkMapping([run(0)], based, 0x4000_0000), undefined);
  t.like(checkMapping([run(0)], based, 0x3fff_f000), { field: 'iommu.iovaBits' });
  t.like(checkMapping([run(0, 68 * KiB)], based), { field: 'iommu.iovaBits', value: 68 * KiB });
});

test('checkMapping, refuses runs smaller than the IOMMU page, but for the last', (t) => {
  const npu: DeviceConstraints = { device: 'npu', iommu: { iovaBits: 32, pageSizes: [64 * KiB] } };
  t.is(checkMapping([run(0), run(256 * KiB, 4096)], npu), undefined);
  t.like(checkMapping([run(0, 4096), run(256 * KiB)], npu), { field: 'iommu.pageSizes', runIndex: 0 });
  t.like(checkMapping([run(0), run(260 * KiB)], npu), { field: 'iommu.pageSizes', runIndex: 1 });
  t.like(checkMapping([run(0)], npu, 4096), { field: 'iommu.pageSizes', value: 4096 });
});

test('checkMapping, refuses runs that are none, for negative, fractional and endless ones', (t) => {
  for (const bad of [run(-1), run(0.5), run(0, 0), run(0, Number.POSITIVE_INFINITY)]) {
    t.throws(() => checkMapping([bad], encoder), { instanceOf: RangeError });
  }
});

test('checkDeviceConstraints, finds nothing, for well-formed constraints', (t) => {
  t.deepEqual(checkDeviceConstraints({ device: 'd' }), []);
  t.deepEqual(
    checkDeviceConstraints({ device: 'd', segmentBoundaryMask: 0xffff_ffff, maxSegmentBytes: 2 ** 32 - 1 }),
    [],
  );
  t.deepEqual(checkDeviceConstraints({ device: 'd', iommu: { iovaBits: 64, pageSizes: [4096, 2 ** 21] } }), []);
});

test('checkDeviceConstraints, says one sentence a problem, for malformed constraints', (t) => {
  const malformed: Omit<DeviceConstraints, 'device'>[] = [
    { addressLimit: -1 },
    { addressLimit: 2 ** 64 - 1 },
    { segmentBoundaryMask: 0x1_0000 },
    { maxSegments: 0 },
    { maxSegmentBytes: 2 ** 32 },
    { alignmentBytes: 1.5 },
    { windows: [] },
    { windows: [{ base: 0, sizeBytes: 0 }] },
    { windows: [{ base: 0, sizeBytes: 4096 }], iommu: { iovaBits: 32 } },
    { iommu: { iovaBits: 65 } },
    { iommu: { iovaBits: 32, pageSizes: [2048] } },
  ];
  for (const fields of malformed)
    t.is(checkDeviceConstraints({ device: 'd', ...fields }).length, 1, JSON.stringify(fields));
});
