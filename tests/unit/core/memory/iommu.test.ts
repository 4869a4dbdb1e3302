import { dmaAddr, physAddr } from '@dmabuf-lab/core/base';
import { IommuDomain, type IovaMapping, PAGE_SIZE, SgTable } from '@dmabuf-lab/core/memory';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../constraints/arbitraries.js';

const KiB64 = 16 * PAGE_SIZE;
const BASE = 2 ** 32;

/** Every second page from `firstPage` on. */
function scattered(pages: number, firstPage = 2 ** 24): SgTable {
  return new SgTable(
    Array.from({ length: pages }, (_, i) => ({
      address: physAddr((firstPage + 2 * i) * PAGE_SIZE),
      lengthBytes: PAGE_SIZE,
    })),
  );
}

/** A domain of so many pages, from 4 GiB on. */
const domainOf = (pages: number): IommuDomain => new IommuDomain('vpu', { base: BASE, sizeBytes: pages * PAGE_SIZE });

const pageOf = ({ iova }: IovaMapping): number => (iova - BASE) / PAGE_SIZE;

test('IommuDomain.translate, walks scattered pages in buffer order, from the first byte to the last', (t) => {
  const domain = domainOf(64);
  const sgTable = new SgTable([
    { address: physAddr(2 ** 36), lengthBytes: 2 * PAGE_SIZE },
    { address: physAddr(4096), lengthBytes: PAGE_SIZE },
  ]);
  domain.map(scattered(3), 'before', 1);
  const { iova } = domain.map(sgTable, 'frame', 1);
  t.deepEqual(
    [0, 1, 8191, 8192, 12287].map((offset) => domain.translate(dmaAddr(iova + offset)) as number),
    [2 ** 36, 2 ** 36 + 1, 2 ** 36 + 8191, 4096, 4096 + 4095],
  );
  t.throws(() => domain.translate(dmaAddr(iova + 12288)), { code: 'EFAULT' });
});

test('IommuDomain.map, never gives out IOVA 0', (t) => {
  const domain = new IommuDomain('vpu', { base: 0, sizeBytes: 4 * PAGE_SIZE });
  t.is(domain.map(scattered(3), 'frame', 1).iova as number, PAGE_SIZE);
  t.throws(() => domain.translate(dmaAddr(0)), { code: 'EFAULT' });
  t.throws(() => domain.map(scattered(1), 'more', 1), { code: 'ENOMEM' });
});

test('IommuDomain.map, aligns the start as asked, and keeps to pages otherwise', (t) => {
  const domain = domainOf(256);
  t.is(pageOf(domain.map(scattered(1), 'a', 1)), 0);
  t.is(pageOf(domain.map(scattered(1), 'b', 1, KiB64)), 16);
  t.is(pageOf(domain.map(scattered(1), 'c', 1)), 17);
});

test('IommuDomain.map, gives out no range again before the aperture is exhausted', (t) => {
  const domain = domainOf(8);
  const seen: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    const mapping = domain.map(scattered(1), 'frame', i);
    seen.push(pageOf(mapping));
    domain.unmap(mapping);
  }
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
  t.is(pageOf(domain.map(scattered(1), 'frame', 8)), 0, 'then from the bottom');
});

test('IommuDomain.map, goes round live ranges after the wrap', (t) => {
  const domain = domainOf(8);
  const mappings = [2, 2, 2, 2].map((pages, i) => domain.map(scattered(pages), `b${i}`, 1));
  domain.unmap(mappings[1]);
  domain.unmap(mappings[3]);
  t.is(pageOf(domain.map(scattered(2), 'c', 1)), 2);
  t.is(pageOf(domain.map(scattered(2), 'd', 1)), 6);
  t.throws(() => domain.map(scattered(1), 'e', 1), { code: 'ENOMEM' });
});

test('IommuDomain.map, fails with ENOMEM naming device, buffer and size, and changes nothing, when no range is long enough', (t) => {
  const domain = domainOf(8);
  const [a, b] = [domain.map(scattered(3), 'a', 1), domain.map(scattered(2), 'b', 1)];
  const error = t.throws(() => domain.map(scattered(4), 'frame', 1), { code: 'ENOMEM' });
  t.regex(error?.message ?? '', /Cannot map frame for vpu: no free IOVA range of 16384 bytes/);
  t.is(domain.liveCount, 2);
  domain.unmap(a);
  t.throws(
    () => domain.map(scattered(4), 'frame', 1),
    { code: 'ENOMEM' },
    'six pages are free, but three at most in a row',
  );
  domain.unmap(b);
  t.is(pageOf(domain.map(scattered(8), 'frame', 1)), 0, 'all of it, at last');
});

test('IommuDomain.translate, faults with the device, the IOVA, the buffer and its generation, after unmap', (t) => {
  const domain = domainOf(64);
  const mapping = domain.map(scattered(2), 'frame', 7);
  domain.unmap(mapping);
  const iova = dmaAddr(mapping.iova + 5000);
  const error = t.throws(() => domain.translate(iova), { code: 'EFAULT' }) as unknown as {
    message: string;
    details: unknown;
  };
  t.deepEqual(error.details, { device: 'vpu', iova, buffer: 'frame', generation: 7 });
  t.is(error.message, 'IOMMU fault: vpu touched IOVA 0x100001388, which is not mapped (it was frame, generation 7)');
});

test('IommuDomain.fault, names the latest of those that were mapped there', (t) => {
  const domain = domainOf(2);
  for (const generation of [1, 2, 3]) domain.unmap(domain.map(scattered(2), 'frame', generation));
  t.regex(domain.fault(dmaAddr(BASE)).message, /it was frame, generation 3/);
});

test('IommuDomain.translate, says never mapped, where nothing ever was', (t) => {
  const domain = domainOf(64);
  domain.unmap(domain.map(scattered(1), 'frame', 1));
  t.throws(() => domain.translate(dmaAddr(BASE + PAGE_SIZE)), { code: 'EFAULT', message: /never mapped/ });
  t.throws(() => domain.translate(dmaAddr(BASE - 1)), { code: 'EFAULT', message: /never mapped/ });
});

test("IommuDomain.unmap, does nothing the second time, even when the range is somebody else's by then", (t) => {
  const domain = domainOf(2);
  const old = domain.map(scattered(2), 'old', 1);
  domain.unmap(old);
  domain.unmap(old);
  const next = domain.map(scattered(2, 77), 'next', 1);
  t.is(next.iova, old.iova);
  domain.unmap(old);
  t.is(domain.liveCount, 1);
  t.is(domain.translate(next.iova) as number, 77 * PAGE_SIZE);
});

testProp(
  'IommuDomain, keeps live ranges apart, inside and right, and fails only when no aligned gap is left',
  [
    fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 6 }), fc.constantFrom(1, 2, 4), fc.nat()), {
      minLength: 1,
      maxLength: 40,
    }),
  ],
  (t, steps) => {
    const pages = 16;
    const domain = domainOf(pages);
    const live: IovaMapping[] = [];
    const owner = new Array<IovaMapping | undefined>(pages).fill(undefined);
    let physPage = 1;
    for (const [maps, count, align, which] of steps) {
      if (maps || live.length === 0) {
        const fits = owner.some(
          (_, i) => i % align === 0 && i + count <= pages && owner.slice(i, i + count).every((o) => o === undefined),
        );
        try {
          const mapping = domain.map(scattered(count, physPage), 'frame', 1, align * PAGE_SIZE);
          physPage += 2 * count;
          const page = pageOf(mapping);
          t.is(page % align, 0);
          t.true(page >= 0 && page + count <= pages);
          t.true(owner.slice(page, page + count).every((o) => o === undefined));
          owner.fill(mapping, page, page + count);
          live.push(mapping);
        } catch (error) {
          t.is((error as { code?: string }).code, 'ENOMEM');
          t.false(fits);
        }
      } else {
        const [mapping] = live.splice(which % live.length, 1);
        domain.unmap(mapping);
        owner.fill(undefined, pageOf(mapping), pageOf(mapping) + mapping.sgTable.runs.length);
      }
      t.is(domain.liveCount, live.length);
      for (const [page, mapping] of owner.entries()) {
        const iova = dmaAddr(BASE + page * PAGE_SIZE);
        if (mapping === undefined) t.throws(() => domain.translate(iova), { code: 'EFAULT' });
        else t.is(domain.translate(iova), mapping.sgTable.runs[page - pageOf(mapping)].address);
      }
    }
  },
  repeated(60),
);
