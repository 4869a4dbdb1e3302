/**
 * What happens to buffers when a device comes late, or leaves: the plan that the exporter follows, and that is shown in
 * advance as a forecast.
 */
import { formatList, formatSize } from '../describe.js';
import { checkMapping } from './check.js';
import type { AddressRun, DeviceConstraints } from './device-constraints.js';
import type { ConstraintFact } from './facts.js';
import type { HeapTraits } from './heap-traits.js';
import { objectionToHeap } from './heap-verdict.js';
import { type PlacedResult, type PlacementRequest, solvePlacement, type UnsatisfiableResult } from './solve.js';

/** A device that is attached to a buffer. */
export interface BufferUser {
  readonly device: string;
  readonly constraints: DeviceConstraints;
  /** `held`: keeps its mapping between jobs, until REQBUFS(0). */
  readonly mapping: 'per-job' | 'held';
  /** `dynamic`: keeps no buffer in place by a mapping; its jobs do, by their fences. Absent = static. */
  readonly importer?: 'static' | 'dynamic';
  /** Mappings it has now that count; where the future is asked for, 1 for whoever will have some. */
  readonly mapped: number;
  /** Pins it has now, where the future is asked for 1 for whoever will have some: with `held` for its stay. Absent = 0. */
  readonly pinned?: number;
  /** A move has waited for it in vain, so that no further one is tried while it stays mapped. */
  readonly blocking?: boolean;
}

/** A buffer as it is. */
export interface BufferSituation {
  readonly buffer: string;
  /** Whole pages. */
  readonly sizeBytes: number;
  /** Absent = nothing is allocated yet. */
  readonly storage?: {
    readonly heap: string;
    /** Absent = not known, so that what the heap promises counts. */
    readonly runs?: readonly AddressRun[];
  };
  readonly users: readonly BufferUser[];
  readonly pins: number;
  /** Who pinned it, as far as known. */
  readonly pinnedBy?: readonly string[];
  /** Whether its exporter moves it at all; absent = true. */
  readonly movable?: boolean;
  /** Buffers like it that are planned before it, and count against room and budgets; absent = 0. */
  readonly earlier?: number;
  /** Bytes of IOVA that devices have mapped of other buffers, by name; absent = none. */
  readonly iovaInUse?: Readonly<Record<string, number>>;
  /** Whether the CPU accesses it; absent = false. */
  readonly cpuAccess?: boolean;
}

/** How the exporter behaves towards buffers in use. */
export interface LatePolicy {
  /** A move waits for mappings, or is refused while there are any. */
  readonly onBusy: 'wait' | 'busy';
}

/** Why a late device is refused. */
export interface PlannedRefusal {
  /** EOPNOTSUPP where the exporter never moves, as i915 answers for memory it cannot migrate (v6.12). */
  readonly errno: 'EBUSY' | 'EINVAL' | 'ENOMEM' | 'EOPNOTSUPP';
  readonly call: 'dma_buf_attach';
  readonly reason: string;
  /** Devices that stand in the way. */
  readonly holders: readonly string[];
  /** The demands that cannot be met together; empty when that is not why. */
  readonly conflict: readonly ConstraintFact[];
}

/** What will happen to one buffer. */
export interface BufferPlan {
  readonly buffer: string;
  /** `place`: nothing is allocated yet, so that the first map decides; `none`: stays where it is. */
  readonly action: 'place' | 'none' | 'migrate' | 'refuse';
  /** Heap it lies in; absent while there is none. */
  readonly from?: string;
  /** Heap it goes to; absent when it does not move. */
  readonly to?: string;
  /** To copy. */
  readonly bytes: number;
  /** In one sentence. */
  readonly why: string;
  /** The devices without which it could stay. */
  readonly forcedBy: readonly string[];
  /** Devices whose mappings and fences must end first. */
  readonly waitsFor: readonly string[];
  /** Those among them that end only with REQBUFS(0). */
  readonly heldBy: readonly string[];
  /** Dynamic importers that are told of the move, and map anew; absent = there are none. */
  readonly notifies?: readonly string[];
  /** Who has it pinned; `somebody` where that is not known. */
  readonly pinnedBy: readonly string[];
  /** Why it is refused. */
  readonly refusal?: PlannedRefusal;
  /** The placement that suits everybody; absent when there is none, or nothing was solved. */
  readonly placement?: PlacedResult;
}

/** What happens to a buffer if that device attached now. Pure: the exporter acts on it, the forecast shows it. */
export function planAttach(
  situation: BufferSituation,
  newcomer: DeviceConstraints,
  heaps: readonly HeapTraits[],
  policy: LatePolicy,
): BufferPlan {
  const { sizeBytes, storage, users } = situation;
  const { device } = newcomer;
  const base = unmoved(situation);
  const devices = [...users.map((user) => user.constraints), newcomer];
  const solved = solvePlacement(requestFor(situation, devices, heaps));
  const refuse = (refusal: Omit<PlannedRefusal, 'call'>, more: Partial<BufferPlan> = {}): BufferPlan => ({
    ...base,
    ...more,
    action: 'refuse',
    why: refusal.reason,
    refusal: { ...refusal, call: 'dma_buf_attach' },
  });
  if (solved.status === 'unsatisfiable') {
    const { conflict } = solved;
    const errno = isForLackOfRoom(solved) ? 'ENOMEM' : 'EINVAL';
    return refuse({ errno, reason: solved.explanation.prose, holders: [], conflict });
  }
  if (storage === undefined)
    return { ...base, action: 'place', to: solved.heap, why: 'nothing is allocated yet', placement: solved };
  const violation = violationIn(storage, newcomer, heaps, sizeBytes);
  if (violation === undefined) {
    return { ...base, action: 'none', why: 'it can reach the present storage', placement: solved };
  }
  const forcedBy = forcingDevices(solved);
  const why = `${violation}; ${solved.explanation.prose}`;
  const obstacle = obstacleTo(situation, policy, violation);
  if (obstacle !== undefined) {
    return refuse({ ...obstacle, conflict: [] }, { forcedBy, pinnedBy: pinnersOf(situation), placement: solved });
  }
  const others = users.filter((user) => user.device !== device);
  return {
    ...base,
    action: 'migrate',
    to: solved.heap,
    bytes: sizeBytes,
    why,
    forcedBy,
    ...usersInTheWay(others),
    placement: solved,
  };
}

/** Whom a move waits for, and whom it tells. */
function usersInTheWay(
  users: readonly BufferUser[],
): Pick<BufferPlan, 'waitsFor' | 'heldBy' | 'pinnedBy'> & Partial<Pick<BufferPlan, 'notifies'>> {
  const isDynamic = (user: BufferUser): boolean => user.importer === 'dynamic';
  const using = users.filter((user) => user.mapped > 0 || isDynamic(user));
  const notifies = namesOf(users.filter(isDynamic));
  return {
    waitsFor: namesOf(using),
    heldBy: namesOf(using.filter((user) => user.mapping === 'held' && !isDynamic(user))),
    pinnedBy: namesOf(users.filter(hasPinned)),
    ...(notifies.length > 0 && { notifies }),
  };
}

const hasPinned = ({ pinned = 0 }: BufferUser): boolean => pinned > 0;

/** Whoever has pinned a buffer, as far as known. */
function pinnersOf({ users, pins, pinnedBy }: BufferSituation): string[] {
  const importers = namesOf(users.filter(hasPinned));
  return pins === 0 ? importers : [...(pinnedBy ?? ['somebody']), ...importers];
}

/** Why a buffer does not move that devices have pinned for as long as they stay. */
export function pinnedForStayText(devices: readonly string[]): string {
  return `it is pinned by ${formatList(devices)} until ${devices.length === 1 ? 'it lets' : 'they let'} go`;
}

/** The plan of a buffer that stays, but for what is decided. */
function unmoved({ buffer, storage }: BufferSituation): Omit<BufferPlan, 'action' | 'why'> {
  const from = storage && { from: storage.heap };
  return { buffer, ...from, bytes: 0, forcedBy: [], waitsFor: [], heldBy: [], pinnedBy: [] };
}

function requestFor(
  { sizeBytes, earlier = 0, iovaInUse, cpuAccess }: BufferSituation,
  devices: readonly DeviceConstraints[],
  heaps: readonly HeapTraits[],
): PlacementRequest {
  const buffers = earlier + 1;
  return { devices, heaps, sizeBytes, buffers, ...(iovaInUse && { iovaInUse }), ...(cpuAccess && { cpuAccess }) };
}

/** Whether a heap would suit everybody if only it were larger. */
function isForLackOfRoom({ candidates }: UnsatisfiableResult): boolean {
  return candidates.some((one) => !one.suits && one.objections.every(({ facts }) => facts.length === 0));
}

/**
 * What could happen to a buffer that a device has left: whether a less scarce heap suits those that stay.
 *
 * @param situation without the device
 * @param leaving its name, for the explanation
 */
export function planDetach(situation: BufferSituation, leaving: string, heaps: readonly HeapTraits[]): BufferPlan {
  const { sizeBytes, storage, users: staying } = situation;
  const base = unmoved(situation);
  const stay = (why: string): BufferPlan => ({ ...base, action: 'none', why });
  if (storage === undefined) return stay('nothing is allocated');
  if (staying.length === 0) return stay('nobody is left who would gain');
  const solved = solvePlacement(
    requestFor(
      situation,
      staying.map((user) => user.constraints),
      heaps,
    ),
  );
  const present = heaps.find((heap) => heap.name === storage.heap);
  const better = heaps.find((heap) => solved.status === 'placed' && heap.name === solved.heap);
  if (solved.status !== 'placed' || present === undefined || better === undefined || better.cost >= present.cost) {
    return stay('no less scarce heap suits those that stay');
  }
  const why = `${leaving} has detached; ${solved.explanation.prose}`;
  const forStay = pinnersForStay(staying);
  if (situation.pins > 0 || forStay.length > 0) {
    const reason = situation.pins > 0 ? 'it is pinned' : pinnedForStayText(forStay);
    return { ...stay(reason), pinnedBy: pinnersOf(situation) };
  }
  if (situation.movable === false) return stay('its exporter does not move it');
  const waits = usersInTheWay(staying);
  return { ...base, action: 'migrate', to: solved.heap, bytes: sizeBytes, why, ...waits, placement: solved };
}

/** Devices whose pins end only when they detach. */
function pinnersForStay(users: readonly BufferUser[]): string[] {
  return namesOf(users.filter((user) => hasPinned(user) && user.mapping === 'held'));
}

/** `3 buffers of 3.1 MB move …` for plans of several buffers that fare alike or not. */
export function describePlans(plans: readonly BufferPlan[]): string {
  const groups = new Map<string, BufferPlan[]>();
  for (const plan of plans) {
    const { action, from, to, why, waitsFor, heldBy, pinnedBy, notifies } = plan;
    const key = JSON.stringify([action, from, to, why, waitsFor, heldBy, pinnedBy, notifies]);
    groups.set(key, [...(groups.get(key) ?? []), plan]);
  }
  return [...groups.values()].map(describeAlike).join(' ');
}

function describeAlike(plans: readonly BufferPlan[]): string {
  const [plan] = plans;
  const names = formatList(plans.map((one) => one.buffer));
  const verb = plans.length === 1 ? ['stays', 'moves'] : ['stay', 'move'];
  switch (plan.action) {
    case 'none':
      return `${names} ${verb[0]} in ${plan.from}: ${plan.why}.`;
    case 'place':
      return `${names}: ${plan.why}, so the first map places ${plans.length === 1 ? 'it' : 'them'} in ${plan.to}.`;
    case 'refuse':
      return `Refused with ${plan.refusal?.errno} for ${names}: ${plan.why.replace(/\.$/, '')}.`;
    case 'migrate': {
      const bytes = plans.reduce((sum, one) => sum + one.bytes, 0);
      const waits =
        plan.waitsFor.length === 0 ? '' : ` once the mappings and fences of ${formatList(plan.waitsFor)} have ended`;
      const held = plan.heldBy.length === 0 ? '' : ` (${formatList(plan.heldBy)}: not before REQBUFS(0))`;
      const pinned =
        plan.pinnedBy.length === 0
          ? ''
          : ` and ${formatList(plan.pinnedBy)} ${plan.pinnedBy.length === 1 ? 'has' : 'have'} unpinned`;
      const told = plan.notifies === undefined ? '' : `, by moveNotify to ${formatList(plan.notifies)}`;
      const copied = `${formatSize(bytes)} (${bytes} bytes) to copy`;
      return `${names} ${verb[1]} from ${plan.from} to ${plan.to}${waits}${held}${pinned}${told}, ${copied}: ${plan.why}`;
    }
  }
}

/** Who forced a placement: each device that did so alone, else all that did so jointly. */
export function forcingDevices(placement: PlacedResult): string[] {
  if (placement.bindingDevices.length > 0) return [...placement.bindingDevices];
  return [...new Set(placement.forcedBy.map((fact) => fact.device))];
}

function violationIn(
  { heap: name, runs }: NonNullable<BufferSituation['storage']>,
  c: DeviceConstraints,
  heaps: readonly HeapTraits[],
  sizeBytes: number,
): string | undefined {
  const heap = heaps.find((candidate) => candidate.name === name);
  return storageViolation(name, heap, runs, c, sizeBytes);
}

/**
 * Why a device cannot use storage as it is.
 *
 * @param runs its pages, where they are known; else what the heap promises counts
 * @returns undefined when it can
 */
export function storageViolation(
  name: string,
  heap: HeapTraits | undefined,
  runs: readonly AddressRun[] | undefined,
  c: DeviceConstraints,
  sizeBytes: number,
): string | undefined {
  if (heap?.deviceLocal?.owner === c.device) return undefined;
  const isPlain = heap?.protected !== true && c.protected !== 'required' && heap?.deviceLocal === undefined;
  // What pages tell is not all: memory that is protected, or another device's, may lie in reach and yet be closed.
  if (runs !== undefined && isPlain) return checkMapping(runs, c)?.message;
  return heap === undefined ? `heap ${name} is unknown` : objectionToHeap(heap, [c], sizeBytes)?.message;
}

function obstacleTo(
  { users, pins, pinnedBy, movable }: BufferSituation,
  { onBusy }: LatePolicy,
  violation: string,
): { errno: 'EBUSY' | 'EOPNOTSUPP'; reason: string; holders: string[] } | undefined {
  const errno = 'EBUSY';
  if (movable === false) {
    return { errno: 'EOPNOTSUPP', reason: `${violation}, and its exporter does not move it`, holders: [] };
  }
  if (pins > 0) {
    const by = pinnedBy === undefined ? '' : ` by ${formatList(pinnedBy)}`;
    return { errno, reason: `it is pinned ${pins} times${by}`, holders: [...(pinnedBy ?? [])] };
  }
  const forStay = pinnersForStay(users);
  if (forStay.length > 0) return { errno, reason: pinnedForStayText(forStay), holders: forStay };
  const blocking = namesOf(users.filter((user) => user.blocking && user.mapped > 0));
  if (blocking.length > 0) {
    const reason = `${blocking.join(', ')} holds it mapped until REQBUFS(0), and a move has waited in vain`;
    return { errno, reason, holders: blocking };
  }
  if (onBusy === 'wait') return undefined;
  const using = namesOf(users.filter((user) => user.mapped > 0));
  if (using.length > 0) {
    return { errno, reason: `${using.join(', ')} has it mapped, and the policy is not to wait`, holders: using };
  }
  const pinners = namesOf(users.filter(hasPinned));
  if (pinners.length === 0) return undefined;
  return { errno, reason: `${pinners.join(', ')} has it pinned, and the policy is not to wait`, holders: pinners };
}

function namesOf(users: readonly BufferUser[]): string[] {
  return [...new Set(users.map((user) => user.device))];
}
