/** The answer of a layout negotiation: plain data, so that it can be stored, compared and sent. */

import type { ConflictLimits } from '../conflict-sets.js';
import type { LayoutResolved } from '../provenance.js';
import type { PlaneLayout } from './arrange.js';
import type { BufferCountAnswer } from './buffer-counts.js';
import type { KernelOutcome } from './kernel-outcome.js';
import type { ImageRequest, LayoutConstraints } from './layout-constraints.js';
import type { LayoutFact, LayoutField, LayoutValue } from './layout-facts.js';
import type { LayoutHazard } from './layout-hazards.js';
import type { LayoutRepair } from './layout-repair.js';
import type { MergedLayoutRules } from './merge-layout.js';

/** What is asked. */
export interface LayoutRequest {
  readonly image: ImageRequest;
  /** In any order; the answer does not depend on it. */
  readonly participants: readonly LayoutConstraints[];
  /** Of the search for conflicts. */
  readonly limits?: ConflictLimits;
  /** A pool that is there already, and which those who join must share. */
  readonly sharedPool?: SharedPool;
  /** Devices that may be put in as a further stage that copies; absent = a copy by the processor. */
  readonly converters?: readonly LayoutConstraints[];
}

/** A pool that exists. */
export interface SharedPool {
  /** As facts name it; `pool` when absent. */
  readonly name?: string;
  readonly buffers: number;
  /** Whether buffers may be added. */
  readonly mayGrow?: boolean;
}

/** The option a participant takes part with. */
export interface ChosenOption {
  readonly device: string;
  /** Place among its options, from 0. */
  readonly index: number;
  /** Its name, if it has one. */
  readonly option?: string;
}

/** A wish and what became of it. */
export interface PreferenceOutcome {
  readonly device: string;
  readonly field: 'strideAlignmentBytes';
  readonly value: number;
  readonly met: boolean;
  /** What it costs: 0 when met. */
  readonly cost: number;
}

/** The parts of the cost that was minimised; 1 = as unwelcome as padding of the size of the image. */
export interface LayoutCost {
  readonly total: number;
  /** Of options, formats and modifiers. */
  readonly options: number;
  readonly preferences: number;
  /** Bytes of padding for each byte of pixels. */
  readonly padding: number;
}

/** An optional participant that cannot take part. */
export interface LeftOutParticipant {
  readonly device: string;
  /** In one sentence. */
  readonly why: string;
  /** Minimal conflict of its facts with those of the participants that do take part. */
  readonly facts: readonly LayoutFact[];
}

/** A format and modifier that works. */
export interface SuitableCandidate {
  readonly format: string;
  readonly modifier: string;
  readonly suits: true;
  readonly cost: number;
  readonly strideBytes: number;
  readonly sizeBytes: number;
  /** Optional participants that could not take part. */
  readonly leftOut: readonly string[];
}

/** A format and modifier that does not work, with the first fact that killed it, participants in order of name. */
export interface RejectedCandidate {
  readonly format: string;
  readonly modifier: string;
  readonly suits: false;
  readonly device: string;
  readonly option?: string;
  readonly field: LayoutField;
  readonly value: LayoutValue;
  readonly message: string;
}

/** What became of a format and modifier. */
export type LayoutCandidateVerdict = SuitableCandidate | RejectedCandidate;

/** Facts that cannot hold together, while any proper subset can. */
export interface LayoutConflict {
  /** In order of participant. Empty when no layout exists even without any demand. */
  readonly facts: readonly LayoutFact[];
  /** The participants that state them, sorted. */
  readonly devices: readonly string[];
  /** In one sentence. */
  readonly why: string;
}

/** Where each value comes from: the merged rules, and the results. */
export interface LayoutProvenance extends MergedLayoutRules {
  /** Formats each participant takes that restricts them; the value is what they have in common. */
  readonly formats?: LayoutResolved<string[]>;
  /** Likewise modifiers, of the format agreed on; INVALID among them is an implicit layout. */
  readonly modifiers?: LayoutResolved<string[]>;
  /** Each contribution is the stride the participant alone would give; bound by those without which it were smaller. */
  readonly strideBytes: LayoutResolved<number>;
  /** Likewise of the buffer's size. */
  readonly sizeBytes: LayoutResolved<number>;
  /** Each contribution is what the pool lacks less without the participant. */
  readonly buffers: LayoutResolved<number>;
}

/** Everybody can take part. */
export interface LayoutAgreed {
  readonly status: 'agreed';
  readonly format: string;
  readonly modifier: string;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly planes: readonly PlaneLayout[];
  readonly sizeBytes: number;
  /** Of the pixels alone, without padding. */
  readonly payloadBytes: number;
  /** In the pool. */
  readonly buffers: number;
  readonly bufferCounts: BufferCountAnswer;
  /** In order of name; without those left out. */
  readonly options: readonly ChosenOption[];
  readonly cost: LayoutCost;
  readonly preferences: readonly PreferenceOutcome[];
  readonly provenance: LayoutProvenance;
  readonly leftOut: readonly LeftOutParticipant[];
  readonly candidates: readonly LayoutCandidateVerdict[];
  readonly hazards: readonly LayoutHazard[];
  readonly prose: string;
}

/** No layout serves all participants that are not optional. */
export interface LayoutUnsatisfiable {
  readonly status: 'unsatisfiable';
  /** Minimal conflicts of single demands, smallest first. */
  readonly conflicts: readonly LayoutConflict[];
  /** Minimal sets of participants that cannot take part together, smallest first. */
  readonly participantConflicts: readonly (readonly string[])[];
  /** Whether these are all conflicts there are. */
  readonly complete: boolean;
  /** The first conflict in one sentence. */
  readonly why: string;
  readonly bufferCounts: BufferCountAnswer;
  readonly candidates: readonly LayoutCandidateVerdict[];
  /** What would help, each verified by solving again; the least unwelcome first. */
  readonly repairs: readonly LayoutRepair[];
  /** How Linux would fail, or worse not fail, without a negotiation. */
  readonly predicted: KernelOutcome;
  readonly hazards: readonly LayoutHazard[];
  readonly prose: string;
}

/** Somebody has been announced and has not said yet what it needs. */
export interface LayoutWaiting {
  readonly status: 'waiting';
  /** Sorted. */
  readonly missing: readonly string[];
  /** The answer if nobody else came; what does not work now will not work later. */
  readonly soFar: LayoutAgreed | LayoutUnsatisfiable;
  readonly prose: string;
}

/** The answer of negotiateLayout. */
export type LayoutResult = LayoutAgreed | LayoutUnsatisfiable | LayoutWaiting;
