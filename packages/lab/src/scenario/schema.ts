/**
 * The format of a scenario file: its keys, units, limits and defaults. `docs/scenarios.md` is the same for readers.
 *
 * A parsed {@link Scenario} holds sizes in bytes, times in integer nanoseconds and addresses as numbers. What concerns
 * two places of the file at once is checked in `check.ts`.
 */
import { z } from 'zod';
import { constraintsSchema } from './schema-constraints.js';
import { heapsSchema } from './schema-heaps.js';
import { layoutSchema } from './schema-layout.js';
import { address, bandwidth, duration, name, port, positiveDuration, positiveSize } from './schema-values.js';

export const MAX_DEVICES = 16;
export const MAX_POOL_BUFFERS = 64;
export const MAX_LINK_DEPTH = 256;
export const MAX_MEMORY_BYTES = 16 * 2 ** 30;
/** What one shared WebAssembly memory can back. */
export const MAX_WINDOW_BYTES = 4 * 2 ** 30;
/** A worker does not start with less. */
const MIN_HEAP_BYTES = 16 * 2 ** 20;
export const MAX_DURATION_NS = 24 * 3_600_000_000_000;

const windowSchema = z
  .strictObject({
    name: name.meta({ description: 'by which heaps refer to it' }),
    base: address('first byte, a multiple of 4096'),
    size: positiveSize('length, a multiple of 4096, at most 4GiB; all windows together hold at most 16GiB'),
  })
  .meta({ description: 'a range of physical memory' });

/** The memory of a scenario or a board. */
export const memorySchema = z
  .strictObject({
    windows: z
      .array(windowSchema)
      .min(1)
      .max(64)
      .meta({ description: 'ranges of physical addresses with memory behind' }),
  })
  .meta({ description: 'the memory of the board' });

const quarantineSchema = z
  .strictObject({
    after: z.int().min(1).max(1000).default(8).meta({ description: 'how many broken messages it takes' }),
    within: positiveDuration('how long they may be apart, the first and the last').prefault('1s'),
  })
  .meta({ description: 'when a device that sends the exporter broken control messages is not listened to any more' });

const exporterSchema = z
  .strictObject({
    policy: z.enum(['wait', 'busy']).default('wait').meta({
      description: 'a buffer that must move is in use: wait for it until the timeout, or refuse with EBUSY at once',
    }),
    timeout: positiveDuration('how long a move waits for the users of a buffer').prefault('500ms'),
    moveAt: z.enum(['first-map', 'attach']).default('first-map').meta({
      description: 'when a buffer moves for a new device: at its first map of the buffer, or already when it attaches',
    }),
    moveBack: z.enum(['never', 'idle']).default('never').meta({
      description: 'when the device that forced a move is gone: stay, or return to the better heap once idle',
    }),
    quarantine: quarantineSchema.prefault({}),
    copyBytesPerSecond: bandwidth('how fast a move copies, in bytes per second').default(4e9),
    zeroBytesPerSecond: bandwidth('how fast new pages are cleared, in bytes per second').default(8e9),
  })
  .meta({ description: 'how the exporter of the buffers behaves' });

const cpuCacheSchema = z
  .strictObject({
    coherent: z.boolean().default(true).meta({
      description:
        'whether devices see what the CPU has in its caches, and it what they write; then nothing else matters here',
    }),
    size: positiveSize('how much of it a program on the CPU has').prefault('2MiB'),
    clean: duration('to clean a page').prefault('400ns'),
    invalidate: duration('to invalidate a page').prefault('400ns'),
  })
  .meta({ description: "the CPU's data caches, as devices with cpu see them" });

const debugSchema = z
  .strictObject({
    sanitizer: z.boolean().default(false).meta({
      description: 'keep freed pages from reuse for a while and look whether somebody still writes to them',
    }),
    callSites: z.boolean().default(false).meta({
      description: 'find out which lines of drivers have begun the jobs that never end',
    }),
    fenceDeadline: positiveDuration(
      'report fences that are not signalled so long after they were published',
    ).optional(),
    mappingLimit: positiveDuration('report mappings of jobs that are open for longer').optional(),
    heldMappingLimit: positiveDuration(
      'report mappings that devices with mapping: held have open for longer, from job to job',
    ).optional(),
    reservationLocks: z
      .enum(['ww', 'plain'])
      .default('ww')
      .meta({
        description:
          'ww: jobs lock the reservations of their buffers with an acquire context, and the younger backs off; plain: one after ' +
          'the other, as the driver named them, and two orders that contradict each other are reported',
      }),
    history: z.boolean().default(false).meta({
      description: 'follow each buffer and fail the run in which somebody breaks the rules of sharing',
    }),
  })
  .meta({ description: 'what is watched beyond what every run watches; it costs time, and no model time' });

const deviceSchema = z
  .strictObject({
    driver: z
      .union([z.enum(['camera', 'gpu', 'display', 'encoder']), z.string().min(1).max(4096)])
      .meta({ description: 'camera, gpu, display, encoder, a path such as ./my-isp.ts, or the name of a package' }),
    mapping: z.enum(['per-job', 'held']).default('per-job').meta({
      description:
        'maps a buffer for each job as a DRM driver does, or from its first use until it lets go, as vb2 does',
    }),
    importer: z
      .enum(['static', 'dynamic'])
      .optional()
      .meta({
        description:
          'static unless the driver says otherwise: keeps a buffer in place while it has it mapped, or keeps its mapping between jobs and follows when moveNotify ' +
          'tells it of a move',
      }),
    pin: z
      .boolean()
      .default(false)
      .meta({
        description:
          'of a dynamic importer: pins what it has mapped, for each job, or with mapping: held from its first job until it ' +
          'lets go',
      }),
    profile: name.optional().meta({
      description: 'the device of the board, or the profile of the library, whose constraints and layout it has',
    }),
    constraints: constraintsSchema.prefault({}),
    layout: layoutSchema.optional(),
    cpu: z
      .strictObject({
        sync: z.boolean().default(true).meta({
          description: 'calls DMA_BUF_IOCTL_SYNC around each access, as it has to; false is a mistake to be found',
        }),
      })
      .optional()
      .meta({
        description: 'it is a program on the CPU, such as a software encoder, and touches frames through cpuCache',
      }),
    parameters: z.record(z.string(), z.unknown()).default({}).meta({ description: 'of the driver' }),
    memoryLimit: positiveSize('what the heap of its thread may take, at least 16MiB; threads runtime only')
      .refine((bytes) => bytes >= MIN_HEAP_BYTES, 'expected at least 16MiB')
      .optional(),
  })
  .meta({ description: 'a device and its driver' });

const allocateSchema = z
  .union([
    name,
    z.strictObject({
      ion: z.array(name).min(1).max(32).meta({ description: 'heaps of the mask' }),
    }),
    z.strictObject({ device: name.meta({ description: 'the device that allocates' }) }),
  ])
  .meta({
    description:
      "who chooses the heap: 'deferred', the exporter, once it knows the devices; the name of a heap to allocate from at " +
      'once; ion: the first of several heaps with room, the least scarce first, whatever the devices need; device: where ' +
      'that device reaches it, which knows of no other',
  });

const poolSchema = z
  .strictObject({
    buffers: z
      .int()
      .min(1)
      .max(MAX_POOL_BUFFERS)
      .default(4)
      .meta({ description: 'how many buffers there are from the start' }),
    growTo: z.int().min(1).max(MAX_POOL_BUFFERS).optional().meta({
      description: 'how many there may be at most, when all are in use; no more than buffers when absent',
    }),
    allocate: allocateSchema.default('deferred'),
    movable: z.boolean().optional().meta({
      description:
        'whether buffers move for a device that attaches late; true, but false for ion and device, as on Linux',
    }),
    expect: z.array(name).max(MAX_DEVICES).optional().meta({
      description:
        'devices that must have attached before a deferred allocation; those that the links tell when absent',
    }),
    expectTimeout: positiveDuration('how long a deferred allocation waits for the expected devices').prefault('1s'),
  })
  .meta({ description: 'the buffers that a device allocates for one of its outputs' });

const linkSchema = z
  .strictObject({
    from: port.meta({ description: 'the output that frames come from, such as camera.out' }),
    to: port.meta({ description: 'the input that they go to, such as gpu.in' }),
    depth: z.int().min(1).max(MAX_LINK_DEPTH).optional().meta({
      description: 'how many frames wait in the link at most; as many as the pool has buffers when absent',
    }),
    policy: z.enum(['block', 'drop-oldest', 'drop-newest', 'error']).default('block').meta({
      description:
        'when the link is full: the producer waits, the oldest or the newest frame is dropped, or the producer is refused with ENOBUFS',
    }),
  })
  .meta({ description: 'carries frames from an output to an input' });

const at = duration('when it happens');
const eventSchema = z
  .union([
    z.strictObject({ at, attach: name.meta({ description: 'the device that attaches' }) }),
    z.strictObject({ at, detach: name.meta({ description: 'the device that detaches' }) }),
    z.strictObject({
      at,
      reqbufs: name.meta({
        description:
          'the device that ends its held mappings, as REQBUFS(0) does, detaches, and starts over on the same buffers',
      }),
    }),
    z.strictObject({
      at,
      kill: name.meta({ description: 'the device that dies, between two of its steps; or exporter' }),
    }),
    z.strictObject({
      at,
      hang: name.meta({ description: 'the device that does nothing any more and does not say so; or exporter' }),
    }),
    z.strictObject({
      at,
      pause: name.meta({ description: 'the device that is not scheduled for a while; or exporter' }),
      for: positiveDuration('for how long'),
    }),
    z.strictObject({
      at,
      restart: name.meta({
        description: 'the device that is ended, if it is not dead already, and started again; or exporter',
      }),
    }),
    z.strictObject({
      at,
      corrupt: name.meta({ description: 'the device that goes wrong' }),
      what: z.enum(['messages', 'words']).default('messages').meta({
        description: 'it sends the exporter broken control messages, or writes over the control words of a buffer',
      }),
      messages: z.int().min(1).max(1000).optional().meta({ description: 'how many; absent = 3' }),
      of: z.enum(['buffers', 'frames', 'pools', 'rings', 'queues']).optional().meta({
        description: 'with what: words, which control words; absent = buffers, which are those of attachments too',
      }),
    }),
    z.strictObject({
      at,
      exhaust: name.meta({ description: 'the heap of which somebody else takes all that is free' }),
      for: positiveDuration('for how long'),
    }),
  ])
  .meta({
    description:
      'an event: at, and one of attach, detach, reqbufs, kill, hang, pause, restart and corrupt with the name of a device, or ' +
      'exhaust with that of a heap',
  });

const supervisionSchema = z
  .strictObject({
    restart: z
      .enum(['never', 'one-for-one', 'one-for-all', 'rest-for-one'])
      .default('never')
      .meta({
        description:
          'who is started again when a device dies: nobody; it alone; all devices; it and those listed after it; the exporter ' +
          'is always started again alone, unless never',
      }),
    restarts: z.int().min(0).max(1_000_000).default(1).meta({
      description: 'the run ends with an error at one restart more than this within the time of `within`',
    }),
    within: positiveDuration('the time in which restarts are counted').prefault('5s'),
    backoff: duration('before the first restart of a device; twice as long at each further one').prefault('10ms'),
    maxBackoff: duration('the longest that a restart waits').prefault('1s'),
    late: positiveDuration('a device that does nothing for so long is reported as late, and left alone').prefault('1s'),
    hung: positiveDuration('a device that does nothing for so long is ended, and dead from then on').prefault('10s'),
  })
  .meta({ description: 'how deaths of devices are dealt with' });

const scalar = z.union([z.number(), z.string(), z.boolean()]).meta({ description: 'a number, a text, true or false' });
const expectationSchema = z
  .union([
    z.number(),
    z.string(),
    z.boolean(),
    z.strictObject({
      min: z.number().optional().meta({ description: 'the least it may be' }),
      max: z.number().optional().meta({ description: 'the most it may be' }),
      equals: scalar.optional().meta({ description: 'what it must be' }),
    }),
  ])
  .meta({ description: 'a value that it must equal, or a mapping of min, max and equals' });

export const scenarioSchema = z
  .strictObject({
    name: name.meta({ description: 'of the scenario, in reports' }),
    description: z.string().max(10_000).optional().meta({ description: 'what it shows, in reports' }),
    duration: positiveDuration('how long it runs, in model time; at most 24h').refine(
      (ns) => ns <= MAX_DURATION_NS,
      'expected a duration of at most 24h',
    ),
    shutdown: positiveDuration(
      'a device that has not ended so long after the duration is ended, or ends the run with an error; in model time',
    ).prefault('60s'),
    runtime: z.enum(['threads', 'virtual']).default('virtual').meta({
      description: 'each device on a thread of its own, or all in simulated time: repeatable to the byte',
    }),
    pace: z.enum(['real', 'max']).default('real').meta({
      description: 'of the threads runtime: in real time, or as fast as the pipeline takes frames',
    }),
    seed: z.int().min(0).default(1).meta({ description: 'of all random numbers' }),
    ties: z.enum(['fifo', 'seed']).default('fifo').meta({
      description:
        'order of events of equal time and class in virtual time: first in first out, or shuffled by the seed',
    }),
    payload: z.enum(['pixels', 'stamp', 'timing']).default('stamp').meta({
      description: 'what devices do with the contents: real pictures, a checked stamp in each page, or nothing',
    }),
    board: name.optional().meta({ description: 'the board of the library that gives memory, heaps and devices' }),
    library: z
      .array(z.string().min(1).max(4096))
      .max(16)
      .optional()
      .meta({ description: 'directories with profiles and boards of your own, relative to this file' }),
    memory: memorySchema.optional(),
    heaps: heapsSchema.optional(),
    exporter: exporterSchema.prefault({}),
    cpuCache: cpuCacheSchema.prefault({}),
    debug: debugSchema.prefault({}),
    devices: z.record(name, deviceSchema).meta({ description: `devices by name; 1 to ${MAX_DEVICES}` }),
    pools: z.record(port, poolSchema).default({}).meta({ description: 'buffer pools by output, such as camera.out' }),
    links: z.array(linkSchema).max(256).meta({ description: 'the pipeline' }),
    timeline: z.array(eventSchema).max(10_000).default([]).meta({
      description: 'what happens during the run; a device with an attach event is absent before its first one',
    }),
    supervision: supervisionSchema.optional(),
    expect: z.record(z.string(), expectationSchema).default({}).meta({
      description: 'what the result must say, by path, such as devices.encoder.framesIn',
    }),
  })
  .meta({
    title: 'dmabuf-lab scenario',
    description: 'A board, a pipeline of devices that share buffers, and what happens to them.',
  });

/** A scenario as it is written. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
/** A scenario with units converted and defaults filled in, that still names its board and its profiles. */
export type StatedScenario = z.output<typeof scenarioSchema>;
/**
 * A scenario that names nothing outside of itself any more: bytes, integer nanoseconds, numeric addresses; memory, heaps,
 * constraints and layouts complete.
 */
export type Scenario = StatedScenario & Required<Pick<StatedScenario, 'memory' | 'heaps'>>;
