/**
 * Checks the control calls at the receiver: plain data from actors that other people wrote.
 *
 * Types, ranges, lengths, unknown fields, the version, and whose it is: an actor attaches in its own name only, maps and
 * detaches its own attachments only, and destroys its own buffers only. What passes may still be refused by the exporter
 * (EINVAL, ENOMEM, ESTALE, …): those are errors of a message that is in order.
 */
import type { ActorId } from '../base/index.js';
import {
  faultOf,
  flag,
  list,
  oneOf,
  real,
  record,
  type Shape,
  type ShapeFault,
  tagged,
  text,
  whole,
} from '../base/message-shape.js';
import { checkDeviceConstraints, type DeviceConstraints } from '../constraints/index.js';
import type { ExportedBuffer } from './exported-buffer.js';
import {
  type AttachRequest,
  type BufferHandle,
  type CreateRequest,
  type MapRequest,
  PROTOCOL_VERSION,
} from './protocol.js';

/** Of names of buffers, pools, devices and heaps. */
export const MAX_NAME_LENGTH = 256;
/** Of lists of heaps, windows, page sizes and devices. */
export const MAX_LIST_LENGTH = 64;
/** DMA segments that a device may have a buffer cut into: what the exporter is ready to count. */
export const MAX_DMA_SEGMENTS = 2 ** 20;
const MAX_SOURCE_LENGTH = 4096;
const MAX = Number.MAX_SAFE_INTEGER;

const name = text(1, MAX_NAME_LENGTH);
const number = whole(0, MAX);
const slot = whole(0, 2 ** 31 - 1);
const domain = oneOf('cpu', 'ram', 'inaccessible');
const common = { version: whole(PROTOCOL_VERSION, PROTOCOL_VERSION) };
const handle = record({ slot, life: slot });

const iommu = record(
  { iovaBits: whole(1, 64) },
  {
    iovaBase: number,
    iovaSizeBytes: number,
    physBits: whole(1, 64),
    pageSizes: list(number, 1, MAX_LIST_LENGTH),
    iovaBudgetBytes: number,
  },
);

/** Only what has to hold before `checkDeviceConstraints` may look at it. */
const constraints = record(
  { device: name },
  {
    dmaMask: number,
    addressLimit: number,
    physLimit: number,
    windows: list(record({ base: number, sizeBytes: number }, { busBase: number }), 1, MAX_LIST_LENGTH),
    unconfined: flag,
    bounceAllowed: flag,
    contiguous: flag,
    maxSegments: number,
    maxSegmentBytes: number,
    segmentBoundaryMask: number,
    alignmentBytes: number,
    iommu,
    coherency: list(domain, 1, 3),
    protected: oneOf('required', 'capable'),
    peerToPeerDistance: number,
    heaps: list(name, 1, MAX_LIST_LENGTH),
    prefers: record({}, { iommuPageBytes: number, coherency: domain, cost: real(0, MAX) }),
    subsystem: oneOf('v4l2', 'drm'),
    source: text(0, MAX_SOURCE_LENGTH),
  },
);

const allocateObject = tagged({
  heap: record({ heap: name }),
  ion: record({ ion: list(name, 1, MAX_LIST_LENGTH) }),
  onDevice: record({ onDevice: constraints }),
});
const allocate: Shape = (value, field) => (value === 'deferred' ? undefined : allocateObject(value, field));

/** The requests, by the names of the services. */
const REQUESTS: Readonly<Record<string, Shape>> = {
  create: record(
    {
      name,
      pool: name,
      // A size that is a number and makes no sense is the exporter's EINVAL.
      sizeBytes: whole(-MAX, MAX),
      allocate,
      expect: list(name, 0, MAX_LIST_LENGTH),
      expectTimeoutNs: number,
    },
    { movable: flag, actor: slot, ...common },
  ),
  attach: record(
    { buffer: handle, device: name, actor: slot, constraints, mapping: oneOf('per-job', 'held') },
    { importer: oneOf('static', 'dynamic'), pin: flag, call: number, ...common },
  ),
  map: record({ buffer: handle, attachment: slot }, common),
  detach: record({ buffer: handle, attachment: slot, ended: flag }, { call: number, ...common }),
  seal: record({ buffer: handle }, common),
  destroy: record({ buffer: handle }, common),
};

/** The buffers as the checks of ownership see them; `Exporter` is one. */
export interface KnownBuffers {
  /** The buffer of a handle; undefined when it is gone. */
  find(handle: BufferHandle): ExportedBuffer | undefined;
}

/** What is wrong with a call. */
interface CallFault extends ShapeFault {
  /** It was in order when it was sent. */
  readonly isLate?: boolean;
}

/** Finds what is wrong with the control calls that an exporter is sent. */
export class MessageChecks {
  /** @param senders the actors that may call, by name */
  constructor(
    private readonly buffers: KnownBuffers,
    private readonly senders: ReadonlyMap<string, ActorId>,
  ) {}

  /** What is wrong with a call; undefined when it may go to the exporter. Changes nothing, and never throws. */
  faultOf(method: string, args: unknown, from: string): CallFault | undefined {
    const sender = this.senders.get(from);
    if (sender === undefined) return faultOf(from, 'sender', 'an actor that shares buffers');
    if (!Object.hasOwn(REQUESTS, method)) return faultOf(method, 'method', Object.keys(REQUESTS).join(' or '));
    const fault = REQUESTS[method](args, '');
    if (fault !== undefined) return fault;
    if (method === 'create') return this.#createFault(args as CreateRequest, sender);
    if (method === 'attach') return this.#attachFault(args as AttachRequest, from, sender);
    return this.#ownerFault(args as MapRequest, sender);
  }

  #createFault({ actor, allocate: how, sizeBytes }: CreateRequest, sender: ActorId): ShapeFault | undefined {
    if (actor !== undefined && actor !== sender) return faultOf(actor, 'actor', `its own number, ${sender}`);
    if (typeof how !== 'object' || !('onDevice' in how)) return undefined;
    return constraintFault(how.onDevice, 'allocate.onDevice', sizeBytes);
  }

  #attachFault(request: AttachRequest, from: string, sender: ActorId): ShapeFault | undefined {
    const { actor, device, constraints: asked, pin, importer } = request;
    if (actor !== sender) return faultOf(actor, 'actor', `its own number, ${sender}`);
    if (device !== from) return faultOf(device, 'device', `its own name, ${from}`);
    if (pin === true && importer !== 'dynamic') return faultOf(pin, 'pin', 'false: a static importer pins by mapping');
    return constraintFault(asked, 'constraints', this.buffers.find(request.buffer)?.sizeBytes ?? 0);
  }

  #ownerFault(request: MapRequest, sender: ActorId): CallFault | undefined {
    const buffer = this.buffers.find(request.buffer);
    if (buffer === undefined) return undefined; // ESTALE, which the exporter says
    if (request.attachment === undefined) {
      const { actor } = buffer.request;
      if (actor === undefined || actor === sender) return undefined;
      return faultOf(request.buffer.slot, 'buffer.slot', `a buffer of its own, and this is one of actor ${actor}`);
    }
    const attached = buffer.attachments.get(request.attachment);
    if (attached === undefined || attached.actor === sender) return undefined;
    const fault = faultOf(request.attachment, 'attachment', `its own, and this is one of ${attached.device}`);
    // It had that slot once: the call was under way when another of its generators detached.
    const isLate = buffer.hasHad(request.attachment, sender);
    return isLate ? { ...fault, isLate } : fault;
  }
}

function constraintFault(asked: DeviceConstraints, field: string, sizeBytes: number): ShapeFault | undefined {
  const [problem] = checkDeviceConstraints(asked);
  if (problem !== undefined) return { field, expected: 'constraints in order', got: problem };
  const { maxSegmentBytes = MAX, segmentBoundaryMask = MAX } = asked;
  const segments = sizeBytes / Math.min(maxSegmentBytes, segmentBoundaryMask + 1);
  if (segments <= MAX_DMA_SEGMENTS) return undefined;
  return {
    field,
    expected: `segments that cut the buffer into at most ${MAX_DMA_SEGMENTS}`,
    got: `${segments} of them`,
  };
}
