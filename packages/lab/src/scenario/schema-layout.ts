/** What a device asks of the layout of an image, as scenarios and profiles write it. */
import { z } from 'zod';
import { cost, name, positiveSize, size } from './schema-values.js';

const MAX_FORMATS = 256;
const MAX_PLANES = 4;

const pixels = z
  .int()
  .min(1)
  .max(2 ** 20);
const pair = (description: string) =>
  z.tuple([pixels, pixels]).meta({ description: `${description}: [width, height]` });
const rows = (description: string) => z.int().min(1).max(65536).meta({ description });
const count = (description: string) => z.int().min(0).max(1024).optional().meta({ description });
const fourcc = z
  .string()
  .max(32)
  .regex(/^[A-Za-z0-9_]+$/, 'expected a format as drm_fourcc.h names it, such as NV12 or XRGB8888');
const modifier = z
  .string()
  .max(64)
  .regex(/^(\*|[A-Za-z0-9_]+)$/, 'expected a modifier such as LINEAR or I915_X_TILED, INVALID, or * for any');

const planeSchema = z.strictObject({
  strideAlignment: positiveSize('strides of this plane are multiples of it').optional(),
  rowAlignment: rows('rows set aside for this plane are a multiple of it').optional(),
  offsetAlignment: positiveSize('of the first byte of this plane in the buffer').optional(),
  extra: size('bytes added behind this plane').optional(),
});

const ruleFields = {
  strideAlignment: positiveSize('strides are multiples of it').optional(),
  strideAlignmentPixels: pixels.optional().meta({ description: 'strides are multiples of so many pixels' }),
  minStride: positiveSize('smallest stride').optional(),
  maxStride: positiveSize('largest stride').optional(),
  strideExact: z.boolean().optional().meta({ description: 'the stride is the width, without padding' }),
  stridePowerOfTwo: z.boolean().optional().meta({ description: 'the stride of the first plane is a power of two' }),
  equalPlaneStride: z.boolean().optional().meta({ description: 'all planes have the same stride, in bytes' }),
  heightAlignment: rows('rows set aside for the first plane are a multiple of it; subsampled planes follow').optional(),
  offsetAlignment: positiveSize('of the first byte of each plane').optional(),
  block: pair('the image is padded to whole blocks of so many pixels').optional(),
  trailing: z
    .union([
      size('so many bytes').meta({ description: 'a size' }),
      z.strictObject({ atLeastStrideOr: positiveSize('the larger of the stride and this') }),
    ])
    .optional()
    .meta({ description: 'bytes that must follow the last row: a size, or atLeastStrideOr: a size' }),
  sizeAlignment: positiveSize('the size is rounded up to a multiple of it, after all else').optional(),
  minSize: pair('smallest image').optional(),
  maxSize: pair('largest image').optional(),
  sizeStep: pair('width and height are multiples of these').optional(),
  maxPixels: z.int().min(1).optional().meta({ description: 'width times height at most' }),
  sizes: z
    .array(z.tuple([pixels, pixels]))
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'the only sizes there are' }),
  planes: z
    .array(planeSchema)
    .min(1)
    .max(MAX_PLANES)
    .optional()
    .meta({ description: 'rules by plane, the first first' }),
};

const rulesSchema = z.strictObject(ruleFields).meta({ description: 'rules of the memory layout' });
const [firstRule, ...otherRules] = Object.keys(ruleFields) as (keyof typeof ruleFields)[];

const formatSchema = z.strictObject({
  format: z
    .union([fourcc, z.array(fourcc).min(1).max(MAX_FORMATS)])
    .meta({ description: 'a format as drm_fourcc.h names it, such as NV12, or a list of them' }),
  modifiers: z
    .array(modifier)
    .min(1)
    .max(MAX_FORMATS)
    .optional()
    .meta({ description: 'modifiers that it takes the format in; when absent it does not speak of modifiers' }),
  rules: rulesSchema.optional().meta({ description: 'rules in addition, for this format' }),
  rulesByModifier: z.record(modifier, rulesSchema).optional().meta({ description: 'rules in addition, by modifier' }),
  cost: cost('how unwelcome it is; 0 when absent').optional(),
  costByModifier: z
    .record(modifier, z.number().min(0).max(1e6))
    .optional()
    .meta({ description: 'in addition, by modifier' }),
});

const optionSchema = z
  .strictObject({
    formats: z
      .array(z.union([fourcc, formatSchema]).meta({ description: 'a format such as NV12, or a mapping with format' }))
      .min(1)
      .max(MAX_FORMATS)
      .optional()
      .meta({ description: 'formats that it takes; any when absent' }),
    rules: rulesSchema.optional().meta({ description: 'rules for all of its formats' }),
    counts: z
      .strictObject({
        held: count('buffers that it alone holds at once while it works'),
        dedicatedSlack: count('slack of its own'),
        sharedSlack: count('slack that it shares with others'),
        min: count('fewest in the pool'),
        max: count('most in the pool'),
      })
      .optional()
      .meta({ description: 'how many buffers it needs' }),
    prefers: z
      .strictObject({
        strideAlignment: positiveSize('such as the burst length of its bus').optional(),
        cost: cost('of each preference that is not met; 0.1 when absent').optional(),
      })
      .optional()
      .meta({ description: 'what it would rather have' }),
    cost: cost('how unwelcome this way is; 0 when absent').optional(),
    implicitDomain: name.optional().meta({ description: 'the GPU or display whose implicit layouts it shares' }),
    implicitIsLinear: z
      .boolean()
      .optional()
      .meta({ description: 'formats without modifiers lie row after row, as those of V4L2 do' }),
    silent: z
      .array(z.enum([firstRule, ...otherRules]))
      .min(1)
      .max(otherRules.length + 1)
      .optional()
      .meta({
        description: 'rules that it does not check: a buffer that breaks them is taken, and the picture is wrong',
      }),
  })
  .meta({ description: 'one way of taking part: a port or a path' });

/** The layout constraints of a device. */
export const layoutSchema = z
  .strictObject({
    options: z
      .record(name, optionSchema)
      .default({})
      .meta({ description: 'the ways in which the device can take part, by name, such as mainpath and selfpath' }),
    use: z
      .array(name)
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'the options that count, any one will do; the others are only proposed. All when absent' }),
    optional: z.boolean().optional().meta({ description: 'left out when it does not go together with the others' }),
    api: z
      .enum(['v4l2', 'drm', 'egl'])
      .optional()
      .meta({ description: 'through which interface it imports, so that refusals are foretold; drm when absent' }),
    driver: z.string().max(64).optional().meta({ description: 'the driver, as its messages name it' }),
  })
  .meta({ description: 'what the device asks of the layout of an image; what is absent constrains nothing' });

/** Layout constraints as a file states them, laid over those of a profile. */
export type StatedLayout = z.output<typeof layoutSchema>;
/** One way of taking part. */
export type StatedOption = z.output<typeof optionSchema>;
/** Rules of the memory layout, in bytes. */
export type StatedRules = z.output<typeof rulesSchema>;
