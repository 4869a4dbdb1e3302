/**
 * A constraint file: devices, an image and a board, without drivers and without a run. What it says of devices and heaps is
 * said as in a scenario.
 */
import { knownFormats, type LayoutConstraints, pixelFormatOf } from '@dmabuf-lab/core/constraints';
import { z } from 'zod';
import { deviceConstraintsOf, layoutConstraintsOf } from '../library/index.js';
import { checkPins, type Report } from '../scenario/check.js';
import { checkHeapsOfDevices, checkMemory } from '../scenario/check-memory.js';
import { suggestion } from '../scenario/issues.js';
import { type LoadOptions, libraryOf } from '../scenario/load.js';
import { ScenarioError, type ScenarioProblem } from '../scenario/problem.js';
import { resolveScenario } from '../scenario/resolve.js';
import { memorySchema, type StatedScenario } from '../scenario/schema.js';
import { constraintsSchema } from '../scenario/schema-constraints.js';
import { heapsSchema } from '../scenario/schema-heaps.js';
import { layoutSchema } from '../scenario/schema-layout.js';
import { name } from '../scenario/schema-values.js';
import type { YamlFile } from '../scenario/yaml-file.js';
import type { BoardOfCase, Sharer, SharingCase } from './sharing-case.js';

const pixels = z
  .int()
  .min(1)
  .max(2 ** 20);
const fourcc = z
  .string()
  .max(32)
  .refine((format) => pixelFormatOf(format) !== undefined, {
    error: ({ input }) => `unknown format${suggestion(String(input), knownFormats())}`,
  })
  .meta({ description: 'a format as drm_fourcc.h names it, such as NV12' });

const deviceSchema = z.strictObject({
  profile: name.optional().meta({ description: 'the device of the board, or the profile of the library' }),
  constraints: constraintsSchema.prefault({}),
  layout: layoutSchema.optional(),
  mapping: z.enum(['per-job', 'held']).default('per-job'),
  importer: z.enum(['static', 'dynamic']).default('static'),
  pin: z.boolean().default(false),
  optional: z.boolean().optional().meta({ description: 'left out where it cannot be had together with the others' }),
  missing: z.boolean().optional().meta({ description: 'announced, and has not said yet what it needs' }),
  late: z.boolean().optional().meta({ description: 'comes when the buffers have been allocated' }),
});

const constraintFileSchema = z.strictObject({
  name: name.default('buffers').meta({ description: 'of the buffers, in the explanation' }),
  description: z.string().max(10_000).optional(),
  image: z.strictObject({
    width: pixels,
    height: pixels,
    formats: z.array(fourcc).min(1).max(64).optional().meta({ description: 'in order of preference' }),
  }),
  buffers: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'how many; as many as the devices need when absent' }),
  cpu: z.boolean().default(false).meta({ description: 'the CPU accesses them too' }),
  movable: z.boolean().default(true).meta({ description: 'their exporter can move them for a late device' }),
  library: z.array(z.string()).optional(),
  board: name.optional(),
  memory: memorySchema.optional(),
  heaps: heapsSchema.optional(),
  devices: z
    .record(name, deviceSchema)
    .refine((devices) => Object.keys(devices).length > 0, 'expected at least one device')
    .refine(
      (devices) => !Object.hasOwn(devices, 'cpu'),
      '"cpu" is the processor: say cpu: true, and name the device otherwise',
    ),
});

/** Whether a file is a constraint file: what a scenario needs and it has not is a pipeline. */
export function isConstraintFile(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'image' in value && !('links' in value);
}

/**
 * Checks a constraint file.
 *
 * @throws ScenarioError with every problem found
 */
export function caseOfFile(
  { value, document }: YamlFile,
  options: LoadOptions,
): { board: BoardOfCase; one: SharingCase } {
  const parsed = document.validateWith(constraintFileSchema, value, []);
  if ('problems' in parsed) throw new ScenarioError(parsed.problems);
  const file = parsed.value;
  // What a board and profiles mean is the same in a scenario.
  const stated = file as unknown as StatedScenario;
  const resolved = resolveScenario(stated, document, libraryOf(stated, document, options));
  if ('problems' in resolved) throw new ScenarioError(resolved.problems);
  const { memory, heaps, devices } = resolved.scenario;
  const problems: ScenarioProblem[] = [];
  const report: Report = (path, message) => problems.push(document.problemAt(path, message));
  checkMemory({ memory, heaps, devices }, report);
  checkHeapsOfDevices({ heaps, devices }, report);
  checkPins({ devices }, report);
  const namesFormats = Object.values(devices).some(({ layout }) =>
    Object.values(layout?.options ?? {}).some(({ formats }) => (formats?.length ?? 0) > 0),
  );
  if (file.image.formats === undefined && !namesFormats) {
    report(['image'], 'formats: missing, and no device names a format either, e.g. [NV12]');
  }
  if (problems.length > 0) throw new ScenarioError(problems);
  const sharers = Object.entries(devices).map(([device, { constraints, layout, mapping, importer, pin }]): Sharer => {
    const { optional, missing, late } = file.devices[device];
    const asked: LayoutConstraints | undefined =
      layout === undefined && optional === undefined && missing === undefined
        ? undefined
        : layoutConstraintsOf(device, layout ?? { options: {} });
    return {
      device,
      constraints: deviceConstraintsOf(device, constraints),
      ...(asked && { layout: { ...asked, ...(optional && { optional }), ...(missing && { missing }) } }),
      late: late === true,
      mapping,
      importer: importer ?? 'static',
      pin,
    };
  });
  const { width: widthPixels, height: heightPixels, formats } = file.image;
  const image = { widthPixels, heightPixels, ...(formats && { formats }) };
  const { buffers, cpu: cpuAccess, movable, name: caseName } = file;
  return {
    board: { memory, heaps },
    one: { name: caseName, image, ...(buffers !== undefined && { buffers }), cpuAccess, movable, sharers },
  };
}
