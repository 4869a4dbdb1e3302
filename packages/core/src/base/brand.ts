/** Branded numbers: each is a plain number at run time and a distinct type at compile time. */

declare const brand: unique symbol;
type Brand<Name extends string> = number & { readonly [brand]: Name };

/** A byte address in the simulated physical map, 0 to 2^53-1. */
export type PhysAddr = Brand<'PhysAddr'>;
/** An address as a device issues it: an IOVA behind an IOMMU, else a bus address. */
export type DmaAddr = Brand<'DmaAddr'>;
/** Index of a 32-bit control word in the shared control memory. */
export type WordIndex = Brand<'WordIndex'>;
/** Slot of a buffer in the buffer table. */
export type BufferSlot = Brand<'BufferSlot'>;
/** Slot of an attachment in the attachment table. */
export type AttachmentSlot = Brand<'AttachmentSlot'>;
/** Slot of a timeline in the timeline table. */
export type TimelineSlot = Brand<'TimelineSlot'>;
/** Number of an actor, from 1; 0 means nobody. */
export type ActorId = Brand<'ActorId'>;
/** A point or a span of model time in integer nanoseconds. */
export type Nanoseconds = number;

export const physAddr = (value: number): PhysAddr => value as PhysAddr;
export const dmaAddr = (value: number): DmaAddr => value as DmaAddr;
export const wordIndex = (value: number): WordIndex => value as WordIndex;
export const bufferSlot = (value: number): BufferSlot => value as BufferSlot;
export const attachmentSlot = (value: number): AttachmentSlot => value as AttachmentSlot;
export const timelineSlot = (value: number): TimelineSlot => value as TimelineSlot;
export const actorId = (value: number): ActorId => value as ActorId;
