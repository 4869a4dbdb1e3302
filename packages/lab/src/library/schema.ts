/** The format of the files of the library: device profiles and boards. `docs/library.md` is the same for readers. */
import { z } from 'zod';
import { memorySchema } from '../scenario/schema.js';
import { constraintsSchema } from '../scenario/schema-constraints.js';
import { heapsSchema } from '../scenario/schema-heaps.js';
import { layoutSchema } from '../scenario/schema-layout.js';
import { name } from '../scenario/schema-values.js';

/** What devices of the library do. */
export const DEVICE_KINDS = ['camera', 'gpu', 'display', 'encoder', 'decoder', 'converter', 'capture'] as const;

const text = (description: string) => z.string().min(1).max(2000).meta({ description });
const origin = {
  sources: z
    .record(z.string(), text('kernel file and line'))
    .default({})
    .meta({ description: 'where values come from, by field; a field speaks for all below it' }),
  inferred: z
    .array(z.string())
    .max(256)
    .default([])
    .meta({ description: 'fields whose values are inferred and stand nowhere in this form' }),
  notes: z
    .array(z.strictObject({ text: text('what to know'), source: text('kernel file and line').optional() }))
    .max(32)
    .default([])
    .meta({ description: 'facts that no field can hold' }),
};

/** A device profile as it is written. */
export const profileSchema = z
  .strictObject({
    id: name.meta({ description: 'by which scenarios and boards name it; the name of the file' }),
    extends: name.optional().meta({ description: 'the profile that this one is laid over, key by key' }),
    name: text('of the device, for people').optional(),
    soc: text('the chip or the family that it is part of').optional(),
    kind: z.enum(DEVICE_KINDS).optional().meta({ description: 'what it does' }),
    description: text('what is special about it').optional(),
    constraints: constraintsSchema.prefault({}),
    layout: layoutSchema.prefault({}),
    ...origin,
  })
  .meta({
    title: 'dmabuf-lab device profile',
    description: 'What a real device asks of buffers, and how that is known.',
  });

/** A board as it is written. */
export const boardSchema = z
  .strictObject({
    id: name.meta({ description: 'by which scenarios name it; the name of the file' }),
    name: text('of the board, for people'),
    description: text('what is special about it'),
    memory: memorySchema,
    heaps: heapsSchema,
    devices: z.record(name, name).meta({ description: 'the profiles of its devices, by a short name such as camera' }),
    ...origin,
  })
  .meta({ title: 'dmabuf-lab board', description: 'The memory, the heaps and the devices of a real board.' });

/** A device profile as one file states it. */
export type StatedProfile = z.output<typeof profileSchema>;
/** A board as its file states it. */
export type StatedBoard = z.output<typeof boardSchema>;
/** What a device does. */
export type DeviceKind = (typeof DEVICE_KINDS)[number];
