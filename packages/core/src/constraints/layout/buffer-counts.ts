/**
 * How many buffers a pool needs: what all hold at once and their own slack, summed, and the largest slack that is shared;
 * no fewer than any minimum, no more than the smallest maximum.
 *
 * Systems disagree here. GStreamer's tee takes the largest request of a single branch, under which the others starve once
 * all of them hold what they need; the answer of that rule is reported beside ours.
 *
 * Source: the aggregation of min_buffer_count_for_camping, _for_dedicated_slack and _for_shared_slack in Fuchsia's
 * sysmem2; gst_tee_query_allocation in GStreamer.
 */
import { type LayoutResolved, type LayoutStatement, mergeByMax, mergeByMin, mergeBySum } from '../provenance.js';
import type { BufferCounts } from './layout-constraints.js';

/** The counts of one participant. */
export interface ParticipantCounts {
  readonly device: string;
  readonly counts: BufferCounts;
}

/** A pool's size and where it comes from. */
export interface BufferCountAnswer {
  /** Buffers needed; at least 1. */
  readonly buffers: number;
  /** Whether the smallest maximum allows so many. */
  readonly fits: boolean;
  readonly held: LayoutResolved<number>;
  readonly dedicatedSlack: LayoutResolved<number>;
  /** Absent when nobody shares slack; likewise the others. */
  readonly sharedSlack?: LayoutResolved<number>;
  readonly min?: LayoutResolved<number>;
  readonly max?: LayoutResolved<number>;
  /** What the largest single request comes to: the answer of systems that take the maximum. */
  readonly maxOnlyBuffers: number;
}

/** Merges the counts of participants. A participant may appear more than once. */
export function aggregateBufferCounts(participants: readonly ParticipantCounts[]): BufferCountAnswer {
  const given = (field: keyof BufferCounts): LayoutStatement<number>[] =>
    participants.flatMap(({ device, counts }) => {
      const value = counts[field];
      return value === undefined ? [] : [{ device, field, value }];
    });
  const held = mergeBySum(given('held'));
  const dedicatedSlack = mergeBySum(given('dedicatedSlack'));
  const sharedSlack = given('sharedSlack').length > 0 ? mergeByMax(given('sharedSlack')) : undefined;
  const min = given('min').length > 0 ? mergeByMax(given('min')) : undefined;
  const max = given('max').length > 0 ? mergeByMin(given('max')) : undefined;
  const sum = held.value + dedicatedSlack.value + (sharedSlack?.value ?? 0);
  const buffers = Math.max(1, sum, min?.value ?? 0);
  const alone = participants.map(({ counts }) =>
    Math.max(counts.min ?? 0, (counts.held ?? 0) + (counts.dedicatedSlack ?? 0) + (counts.sharedSlack ?? 0)),
  );
  return {
    buffers,
    fits: max === undefined || buffers <= max.value,
    held,
    dedicatedSlack,
    ...(sharedSlack && { sharedSlack }),
    ...(min && { min }),
    ...(max && { max }),
    maxOnlyBuffers: Math.max(1, ...alone),
  };
}
