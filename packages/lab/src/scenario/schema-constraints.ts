/** What a device asks of the place of a buffer, as scenarios and profiles write it. */
import { z } from 'zod';
import { address, cost, name, positiveSize, powerOfTwo } from './schema-values.js';
import { sizeSchema } from './units.js';

const domain = z.enum(['cpu', 'ram', 'inaccessible']);
const pageSize = sizeSchema.refine((bytes) => bytes >= 4096 && powerOfTwo(bytes), 'expected a power of two from 4KiB');
const mask = (description: string, example: string) =>
  address(description).refine((value) => powerOfTwo(value + 1), `expected a power of two minus 1, such as ${example}`);

const iommuSchema = z
  .strictObject({
    iovaBits: z.int().min(1).max(64).optional().meta({
      description: 'width of the addresses that the device issues; required, here or in the profile',
    }),
    iovaBase: address('first byte of the aperture; 0 when absent').optional(),
    iovaSize: positiveSize('length of the aperture; up to 2^iovaBits when absent').optional(),
    physBits: z.int().min(1).max(64).optional().meta({
      description: 'width of the physical addresses that its page table holds; any page when absent',
    }),
    pageSizes: z
      .array(pageSize)
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'page sizes it maps, powers of two; [4KiB] when absent' }),
    iovaBudget: positiveSize(
      'most bytes of IOVA that all buffers of the device may take; the aperture when absent',
    ).optional(),
  })
  .meta({ description: 'the IOMMU in front of the device, or its own MMU: scattered pages look like one range' });

const dmaWindowSchema = z.strictObject({
  base: address('first byte, as the CPU sees it'),
  size: positiveSize('length'),
  bus: address('where the device sees the first byte; as the CPU when absent').optional(),
});

const preferencesSchema = z
  .strictObject({
    iommuPageSize: pageSize.optional().meta({
      description: 'every run a multiple of it, so that the iommu maps large pages',
    }),
    coherency: domain.optional().meta({ description: 'the domain that spares it cache maintenance' }),
    cost: cost('of each preference that is not met; 0.1 when absent').optional(),
  })
  .meta({ description: 'what it would rather have: decides among heaps that suit' });

const fields = {
  dmaMask: mask('which bits of an address it drives, 2^n - 1; leave it out for 64 bits', '0xFFFF_FFFF').optional(),
  addressLimit: address(
    'highest byte address it can issue, where that is no mask; leave it out for 64 bits',
  ).optional(),
  physLimit: address('highest byte of memory it reaches, whatever translates in between').optional(),
  windows: z
    .array(dmaWindowSchema)
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'physical ranges that it reaches (dma-ranges), for a device without an iommu' }),
  bounceAllowed: z.boolean().optional().meta({
    description: 'pages out of reach may be copied through swiotlb, at a copy a frame; an error when absent',
  }),
  contiguous: z.boolean().optional().meta({ description: 'a buffer must be one range, as the device sees it' }),
  maxSegments: z.int().min(1).optional().meta({ description: 'how many DMA segments it takes, counted after mapping' }),
  maxSegmentSize: positiveSize('longest DMA segment; 2^32 - 1 when absent')
    .refine((bytes) => bytes < 2 ** 32, 'expected a size below 4GiB')
    .optional(),
  segmentBoundaryMask: mask('2^n - 1: no segment crosses a multiple of 2^n', '0xFFFF').optional(),
  alignment: positiveSize('of the start of a buffer, as the device sees it; at most 4GiB')
    .refine((bytes) => bytes <= 2 ** 32, 'expected a size of at most 4GiB')
    .optional(),
  iommu: iommuSchema.optional(),
  coherency: z
    .array(domain)
    .min(1)
    .max(3)
    .optional()
    .meta({ description: 'domains of coherency that it can work with; all when absent' }),
  protected: z.enum(['required', 'capable']).optional().meta({
    description: 'its buffers must be protected, or it is allowed into protected memory; neither when absent',
  }),
  peerToPeerDistance: z.int().min(0).max(255).optional().meta({
    description: 'most bridges to the device-local memory of another device that it maps; it cannot when absent',
  }),
  heaps: z
    .array(name)
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'names of the heaps that it may use; any when absent' }),
  prefers: preferencesSchema.optional(),
  subsystem: z.enum(['drm', 'v4l2']).optional().meta({
    description:
      'whose calls import buffers for it, so that failures are foretold as Linux tells them; drm when absent',
  }),
  source: z.string().max(1000).optional().meta({ description: 'where these numbers come from: kernel file and line' }),
};

const [firstField, ...otherFields] = Object.keys(fields) as (keyof typeof fields)[];

/** The placement constraints of a device. */
export const constraintsSchema = z
  .strictObject({
    ...fields,
    without: z
      .array(z.enum([firstField, ...otherFields]))
      .max(otherFields.length + 1)
      .optional()
      .meta({ description: 'constraints of the profile that do not hold here' }),
  })
  .meta({ description: 'what the device asks of the place of a buffer; what is absent constrains nothing' });

/** Placement constraints as a file states them: bytes and numeric addresses, laid over those of a profile. */
export type StatedConstraints = z.output<typeof constraintsSchema>;
