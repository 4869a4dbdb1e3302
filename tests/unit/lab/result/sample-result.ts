/** Results written by hand: small, valid, and each number known. */
import type { RunResult } from '@dmabuf-lab/lab';

const MS = 1_000_000;
const none = { count: 0, minNs: 0, meanNs: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 };

const camera: RunResult['devices'][string] = {
  driver: 'camera',
  framesIn: 0,
  framesOut: 300,
  framesDropped: 0,
  droppedSequences: [],
  serviceNs: 0,
  stallNs: 0,
  fenceWaitNs: 0,
  stalls: [],
  counters: { ticks: 300 },
  sequences: { captured: [[0, 299]] },
};

const display: RunResult['devices'][string] = {
  ...camera,
  driver: 'display',
  framesIn: 300,
  framesOut: 0,
  counters: { checksPassed: 300, lateVblanks: 0, repeatedVblanks: 299, shown: 300 },
  sequences: { shown: [[0, 299]] },
};

const encoder: RunResult['devices'][string] = {
  ...camera,
  driver: 'encoder',
  framesIn: 148,
  framesOut: 0,
  stallNs: 24_400_000,
  stalls: [{ buffer: 'camera.out[0]', startNs: 5_000_000_000, endNs: 5_006_100_000, why: 'moving' }],
  counters: { checksPassed: 148, encoded: 148, refused: 0, videoFrames: 148 },
  sequences: { encoded: [[152, 299]] },
};

const buffer = (index: number): RunResult['buffers'][number] => ({
  name: `camera.out[${index}]`,
  pool: 'camera.out',
  sizeBytes: 1_572_864,
  placements: [{ heap: 'system', atNs: 62_306, why: 'system, the least scarce heap with room.' }],
  moves: [],
});

/** Camera and display only: nothing comes late and nothing moves. */
export const quietResult: RunResult = {
  version: 1,
  scenario: 'quiet',
  description: 'A camera and a display.',
  runtime: 'virtual',
  pace: 'real',
  payload: 'stamp',
  seed: 1,
  ties: 'fifo',
  durationNs: 10_000_000_000,
  endNs: 10_016_000_000,
  endedBy: 'duration',
  fingerprint: '9c2120f57d310e9a',
  devices: { camera, display },
  links: [
    {
      from: 'camera.out',
      to: 'display.in',
      policy: 'block',
      depth: 2,
      delivered: 300,
      dropped: 0,
      droppedSequences: [],
      latency: none,
    },
  ],
  latency: [
    {
      from: 'camera',
      to: 'display',
      what: 'display',
      count: 300,
      minNs: 16_666_666,
      meanNs: 16_666_667,
      p50Ns: 16_666_667,
      p99Ns: 16_666_667,
      maxNs: 33_333_333,
    },
  ],
  buffers: [buffer(0), buffer(1)],
  hazards: [],
  prematureMaps: [],
  attaches: [
    {
      device: 'camera',
      pool: 'camera.out',
      atNs: 0,
      buffers: 2,
      outcome: 'compatible',
      why: 'nothing is allocated yet',
      forcedBy: [],
    },
  ],
  heaps: [
    {
      name: 'system',
      sizeBytes: 2 ** 30,
      peakBytes: 3_145_728,
      freeBytes: 2 ** 29,
      largestFreeRunBytes: 65_536,
      fragmentation: 1 - 2 ** -13,
      bytesAtEnd: 0,
    },
    {
      name: 'cma',
      sizeBytes: 2 ** 26,
      peakBytes: 0,
      freeBytes: 2 ** 26,
      largestFreeRunBytes: 2 ** 26,
      fragmentation: 0,
      bytesAtEnd: 0,
    },
  ],
  allocations: [
    {
      heap: 'system',
      kind: 'deferred',
      pooled: false,
      bytes: 3_145_728,
      pooledBytes: 0,
      count: 2,
      minNs: 200_000,
      meanNs: 210_000,
      p50Ns: 200_000,
      p99Ns: 220_000,
      maxNs: 220_000,
    },
  ],
  pools: [{ name: 'camera.out', buffers: 2, heldNs: 0 }],
  incidents: [],
  bytesCopied: 0,
  moves: 0,
  controlCalls: 16,
  controlCallsByMethod: { attach: 4, create: 2, destroy: 2, detach: 4, map: 4 },
  ledger: {
    buffers: 0,
    bytes: 0,
    attachments: 0,
    mappings: 0,
    pendingFences: 0,
    iovaRanges: 0,
    frames: 0,
    faults: 0,
    empty: true,
  },
  artefacts: [],
  expectations: [],
};

const why = 'cma, because encoder needs contiguous memory and has no IOMMU; system would scatter the pages.';

const attach: RunResult['attaches'][number] = {
  device: 'encoder',
  pool: 'camera.out',
  atNs: 5_000_000_000,
  buffers: 2,
  outcome: 'will-move',
  why,
  forcedBy: ['encoder'],
};

const move: RunResult['buffers'][number]['moves'][number] = {
  from: 'system',
  to: 'cma',
  bytes: 1_572_864,
  reason: why,
  forcedBy: ['encoder'],
  requestedNs: 5_000_000_000,
  startNs: 5_000_023_390,
  drainedNs: 5_006_000_000,
  endNs: 5_006_115_712,
  outcome: 'moved',
  waited: [{ device: 'gpu', ns: 5_976_610 }],
  stalled: [{ device: 'encoder', ns: 6_092_322 }],
};

/** An encoder comes after 5 s, and the buffers move for it. */
export const movedResult: RunResult = {
  ...quietResult,
  scenario: 'late-encoder',
  devices: {
    camera,
    display: { ...display, counters: { ...display.counters, lateVblanks: 3 } },
    encoder: {
      ...encoder,
      framesDropped: 4,
      droppedSequences: [
        [12, 12],
        [15, 17],
      ],
    },
  },
  links: [
    ...quietResult.links,
    {
      from: 'camera.out',
      to: 'encoder.in',
      policy: 'drop-oldest',
      depth: 2,
      delivered: 148,
      dropped: 2,
      droppedSequences: [[150, 151]],
      latency: none,
    },
  ],
  latency: [
    ...quietResult.latency,
    {
      from: 'camera',
      to: 'encoder',
      what: 'bitstream',
      count: 148,
      minNs: 8 * MS,
      meanNs: 8_100_000,
      p50Ns: 8 * MS,
      p99Ns: 14_115_712,
      maxNs: 14_115_712,
    },
  ],
  attaches: [...quietResult.attaches, attach],
  buffers: [
    {
      ...buffer(0),
      placements: [...buffer(0).placements, { heap: 'cma', atNs: 5_006_115_712, why }],
      moves: [move],
    },
    {
      ...buffer(1),
      placements: [...buffer(1).placements, { heap: 'cma', atNs: 5_033_500_000, why }],
      moves: [
        {
          ...move,
          requestedNs: 5_033_333_333,
          startNs: 5_033_333_333,
          drainedNs: 5_033_333_333,
          endNs: 5_033_449_045,
          waited: [],
          stalled: [],
        },
      ],
    },
  ],
  bytesCopied: 3_145_728,
  moves: 2,
};

/** The camera holds its mappings, so the move gives up. */
export const timedOutResult: RunResult = {
  ...quietResult,
  scenario: 'vb2-held',
  devices: {
    camera,
    encoder: {
      ...encoder,
      stallNs: 0,
      stalls: [],
      framesDropped: 148,
      droppedSequences: [[152, 299]],
      counters: { refused: 148, refusedEBUSY: 147, refusedETIMEDOUT: 1 },
      sequences: {},
    },
  },
  attaches: [...quietResult.attaches, attach],
  buffers: [
    {
      ...buffer(0),
      moves: [
        {
          ...move,
          bytes: 0,
          drainedNs: 5_000_023_390,
          endNs: 5_500_023_390,
          outcome: 'timed-out',
          error: {
            code: 'ETIMEDOUT',
            message: 'Cannot move camera.out[0]: it is mapped by camera, which holds its mappings until REQBUFS(0)',
            holders: ['camera'],
          },
          waited: [{ device: 'camera', ns: 500_000_000 }],
          stalled: [],
        },
      ],
    },
    buffer(1),
  ],
};

/** Ctrl-C after 3.2 s. */
export const interruptedResult: RunResult = { ...quietResult, endNs: 3_200_000_000, endedBy: 'interrupted' };

/** Something was not given back, frames were torn, and an expectation does not hold. */
export const leakingResult: RunResult = {
  ...quietResult,
  scenario: 'leaking',
  devices: { camera, display: { ...display, counters: { ...display.counters, checksFailed: 2 } } },
  ledger: { ...quietResult.ledger, buffers: 1, bytes: 1_572_864, mappings: 3, faults: 1, empty: false },
  expectations: [
    { path: 'moves', expected: 0, actual: 0, ok: true },
    { path: 'ledger.empty', expected: true, actual: false, ok: false },
    { path: 'devices.display.counters.shown', expected: { min: 301 }, actual: 300, ok: false },
  ],
};
