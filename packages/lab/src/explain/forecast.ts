/**
 * What would happen if a device attached now: to the place of each buffer, by the plan that the exporter follows, and to
 * the layout, which only a new pool can change.
 */
import {
  type BufferPlan,
  type BufferSituation,
  type BufferUser,
  checkImport,
  describePlans,
  type HeapTraits,
  type KernelOutcome,
  type LayoutAgreed,
  type LayoutConstraints,
  negotiateLayout,
  pageAlignedBytes,
  planAttach,
  planDetach,
  type SharingExplanation,
} from '@dmabuf-lab/core/constraints';
import { outcomeText } from './outcome-text.js';
import type { Sharer, SharingCase } from './sharing-case.js';

/** What becomes of a pool when a device comes late. */
export interface AttachForecast {
  readonly device: string;
  /**
   * `none`: it takes the buffers as they are; `migrate`: they move; `reallocate`: a new pool of another layout; `blit`: a
   * stage that copies for it; `refuse`: it cannot take part; `unknown`: it has not said what it needs.
   */
  readonly action: 'none' | 'migrate' | 'reallocate' | 'blit' | 'refuse' | 'unknown';
  readonly plans: readonly BufferPlan[];
  /** To copy once, by moving buffers. */
  readonly bytesCopied: number;
  /** To copy for each frame, where a stage is needed. */
  readonly bytesPerFrame: number;
  /** To allocate anew. */
  readonly bytesReallocated: number;
  /** Buffers that the pool lacks with it; 0 where there are enough. */
  readonly buffersMissing: number;
  /** Why it cannot read the present layout; absent when it can. */
  readonly layout?: KernelOutcome & { readonly deficitBytes: number };
  readonly prose: string;
}

/** What could happen to a pool once a device has left. */
export interface DetachForecast {
  readonly device: string;
  readonly action: 'none' | 'migrate';
  readonly plans: readonly BufferPlan[];
  readonly bytesCopied: number;
  readonly prose: string;
}

/** The buffers of a case as they are while some devices share them. */
export interface CaseState {
  readonly one: SharingCase;
  /** Of the devices present. */
  readonly explanation: SharingExplanation;
  readonly present: readonly Sharer[];
  readonly heaps: (sizeBytes: number) => readonly HeapTraits[];
}

/** Forecasts the attach of a device to a pool. */
export function forecastAttach(state: CaseState, newcomer: Sharer): AttachForecast {
  const { device } = newcomer;
  const nothing = { device, plans: [], bytesCopied: 0, bytesPerFrame: 0, bytesReallocated: 0, buffersMissing: 0 };
  if (newcomer.layout?.missing === true) {
    return { ...nothing, action: 'unknown', prose: `${device} has not said yet what it needs.` };
  }
  const agreed = agreedOf(state.explanation);
  const bytes = agreed?.sizeBytes ?? state.one.assumeBytes;
  if (bytes === undefined) return { ...nothing, action: 'refuse', prose: 'There is no layout to begin with.' };
  const mismatch = agreed && layoutMismatch(agreed, newcomer.layout);
  if (agreed && mismatch) return forecastLayout(state, newcomer, agreed, mismatch);
  const more = agreed && moreBuffers(state, newcomer, agreed);
  if (more !== undefined && 'refused' in more) return { ...nothing, action: 'refuse', prose: more.refused };
  const { plans, sizeBytes } = plansFor(state, newcomer, bytes);
  const refused = plans.some(({ action }) => action === 'refuse');
  const bytesCopied = plans.reduce((sum, { bytes }) => sum + bytes, 0);
  if (refused) {
    const alone = state.heaps(sizeBytes);
    const copy = { buffer: 'copy', sizeBytes, users: [], pins: 0 };
    const canCopy = planAttach(copy, newcomer.constraints, alone, { onBusy: 'wait' });
    const byBlit =
      canCopy.action === 'place'
        ? ` A copy of each frame would do: ${sizeBytes} bytes a frame into ${canCopy.to}.`
        : '';
    const action = byBlit === '' ? 'refuse' : 'blit';
    const bytesPerFrame = byBlit === '' ? 0 : sizeBytes;
    return { ...nothing, action, plans, bytesPerFrame, prose: `${describePlans(plans)}${byBlit}` };
  }
  const buffersMissing = more?.buffers ?? 0;
  const bytesReallocated = buffersMissing * sizeBytes;
  const prose = more === undefined ? describePlans(plans) : `${more.prose} ${describePlans(plans)}`;
  const action = bytesCopied > 0 ? 'migrate' : bytesReallocated > 0 ? 'reallocate' : 'none';
  return { ...nothing, action, plans, bytesCopied, bytesReallocated, buffersMissing, prose };
}

/** What a pool lacks when one more device holds buffers. */
function moreBuffers(
  { one, present }: CaseState,
  newcomer: Sharer,
  agreed: LayoutAgreed,
): { readonly buffers: number; readonly prose: string } | { readonly refused: string } | undefined {
  if (one.laidOutForAll || newcomer.layout === undefined) return undefined;
  const have = one.buffers ?? agreed.buffers;
  const layouts = [...present, newcomer].flatMap((sharer) => sharer.layout ?? []);
  const anew = negotiateLayout({ image: one.image, participants: layouts });
  if (anew.status === 'unsatisfiable') return { refused: anew.prose };
  const needed = anew.status === 'agreed' ? anew.buffers : anew.soFar.status === 'agreed' ? anew.soFar.buffers : 0;
  if (needed <= have) return undefined;
  const buffers = needed - have;
  const prose = `The pool has ${have === 1 ? '1 buffer' : `${have} buffers`}, and with ${newcomer.device} it needs ${needed}: ${buffers} more by VIDIOC_CREATE_BUFS, or a pool that cannot grow stalls.`;
  return { buffers, prose };
}

/**
 * Forecasts what becomes possible when a device that has come late leaves again: from where the buffers are then.
 *
 * @returns undefined where it has not come to share them
 */
export function forecastDetach(
  state: CaseState,
  { device, action, plans }: AttachForecast,
): DetachForecast | undefined {
  const isThere = action === 'none' || action === 'migrate' || (action === 'reallocate' && plans.length > 0);
  if (!isThere || plans.length === 0) return undefined;
  const sizeBytes = situationBytes(state);
  const heaps = state.heaps(sizeBytes);
  const left = situationsOf(state, sizeBytes).map((situation, i) => {
    const heap = plans[i].to ?? plans[i].from;
    return planDetach({ ...situation, ...(heap !== undefined && { storage: { heap } }) }, device, heaps);
  });
  const bytesCopied = left.reduce((sum, { bytes }) => sum + bytes, 0);
  if (bytesCopied > 0 && state.one.moveBack === 'never') {
    const stay = left.map(
      (plan): BufferPlan => ({ ...plan, action: 'none', bytes: 0, why: 'buffers never move back (moveBack)' }),
    );
    const prose = `${describePlans(stay)} With moveBack: idle, ${bytesCopied} bytes would be copied to ${left[0].to}.`;
    return { device, action: 'none', plans: stay, bytesCopied: 0, prose };
  }
  return { device, action: bytesCopied > 0 ? 'migrate' : 'none', plans: left, bytesCopied, prose: describePlans(left) };
}

function plansFor(state: CaseState, newcomer: Sharer, bytes: number): { plans: BufferPlan[]; sizeBytes: number } {
  const sizeBytes = pageAlignedBytes(bytes);
  const heaps = state.heaps(sizeBytes);
  const policy = { onBusy: state.one.onBusy ?? 'wait' } as const;
  const plans = situationsOf(state, sizeBytes).map((one) => planAttach(one, newcomer.constraints, heaps, policy));
  return { plans, sizeBytes };
}

function situationBytes({ explanation, one }: CaseState): number {
  return pageAlignedBytes(agreedOf(explanation)?.sizeBytes ?? one.assumeBytes ?? 1);
}

function situationsOf({ one, explanation, present }: CaseState, sizeBytes: number): BufferSituation[] {
  const { placement } = explanation;
  const storage = placement?.status === 'placed' ? { storage: { heap: placement.heap } } : {};
  const buffers = placement?.buffers ?? one.buffers ?? 1;
  const users = present.map(({ device, constraints, mapping, importer, pin }): BufferUser => {
    const mapped = importer === 'dynamic' ? 0 : 1;
    return { device, constraints, mapping, importer, mapped, ...(pin && { pinned: 1 }) };
  });
  const { movable, cpuAccess, name } = one;
  return Array.from({ length: buffers }, (_, earlier) => {
    return { buffer: `${name}[${earlier}]`, sizeBytes, ...storage, users, pins: 0, movable, earlier, cpuAccess };
  });
}

function agreedOf({ layout }: SharingExplanation): LayoutAgreed | undefined {
  const answer = layout.status === 'waiting' ? layout.soFar : layout;
  return answer.status === 'agreed' ? answer : undefined;
}

function layoutMismatch(
  agreed: LayoutAgreed,
  layout: LayoutConstraints | undefined,
): AttachForecast['layout'] | undefined {
  if (layout === undefined) return undefined;
  const { format, modifier, widthPixels, heightPixels, planes, sizeBytes } = agreed;
  const check = checkImport({ format, modifier, widthPixels, heightPixels, planes, sizeBytes }, layout);
  return check.correct ? undefined : { ...check.outcome, deficitBytes: check.deficitBytes };
}

/** The layout does not suit the newcomer: a new pool, a stage that copies, or nothing. */
function forecastLayout(
  state: CaseState,
  newcomer: Sharer,
  agreed: LayoutAgreed,
  layout: NonNullable<AttachForecast['layout']>,
): AttachForecast {
  const { device } = newcomer;
  const layouts = [...state.present, newcomer].flatMap((sharer) => sharer.layout ?? []);
  const anew = negotiateLayout({ image: state.one.image, participants: layouts });
  const buffers = state.one.buffers ?? agreed.buffers;
  const base = { device, plans: [], bytesCopied: 0, buffersMissing: 0, layout };
  const why = `${device} cannot read the present layout: ${outcomeText(layout.call, layout.errno)}: ${layout.text}.`;
  if (anew.status === 'agreed') {
    const bytesReallocated = buffers * pageAlignedBytes(anew.sizeBytes);
    const prose = `${why} A new pool would do: ${anew.prose} It takes ${bytesReallocated} bytes for ${buffers} buffers, and their content is lost.`;
    return { ...base, action: 'reallocate', bytesReallocated, bytesPerFrame: 0, prose };
  }
  const stage = anew.status === 'unsatisfiable' ? anew.repairs.find(({ kind }) => kind === 'stage') : undefined;
  if (stage?.kind !== 'stage')
    return { ...base, action: 'refuse', bytesReallocated: 0, bytesPerFrame: 0, prose: `${why} ${anew.prose}` };
  const { bytesPerFrame, change } = stage;
  const prose = `${why} No layout suits all: ${anew.prose} Left is a copy: ${change}, ${bytesPerFrame} bytes a frame.`;
  return { ...base, action: 'blit', bytesReallocated: 0, bytesPerFrame, prose };
}
