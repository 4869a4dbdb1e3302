/**
 * Writes a trace that the Perfetto UI opens (ui.perfetto.dev): one track for each device and for each buffer.
 *
 * Source: protos/perfetto/trace of google/perfetto; the field numbers below are theirs. Written with a bare protobuf
 * writer, because five messages do not need generated code.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { TraceEvent } from '@dmabuf-lab/core/base';
import { assignLanes, type LaneEvent } from './sub-tracks.js';

const TRACE = { packet: 1 };
const PACKET = { timestamp: 8, sequence: 10, event: 11, track: 60 };
const TRACK = { uuid: 1, name: 2, parent: 5 };
const EVENT = { annotation: 4, type: 9, track: 11, name: 23 };
const ANNOTATION = { bool: 2, int: 4, double: 5, string: 6, name: 10 };
const TYPE = { begin: 1, end: 2, instant: 3 };

/** All packets come from one writer. */
const SEQUENCE = 1;
const BUFFER_PREFIX = 'buffer ';

/**
 * @param events in any order; a track whose name starts with `buffer ` is that of a buffer, others are devices'
 * @param processName names the group that holds all tracks, e.g. the scenario
 */
export function encodePerfettoTrace(events: readonly TraceEvent[], processName: string): Uint8Array {
  const trace = new PacketWriter();
  const root = trace.track(processName);
  const byTrack = new Map<string, TraceEvent[]>();
  for (const event of events) {
    const own = byTrack.get(event.track);
    if (own === undefined) byTrack.set(event.track, [event]);
    else own.push(event);
  }
  const isBuffer = (name: string): boolean => name.startsWith(BUFFER_PREFIX);
  const devices = [...byTrack.keys()].filter((name) => !isBuffer(name));
  const buffers = [...byTrack.keys()].filter(isBuffer).sort((a, b) => (a < b ? -1 : 1));
  for (const [group, names] of [
    ['devices', devices],
    ['buffers', buffers],
  ] as const) {
    if (names.length === 0) continue;
    const parent = trace.track(group, root);
    for (const name of names) writeTrack(trace, name, parent, byTrack.get(name) ?? []);
  }
  return trace.finish();
}

function writeTrack(trace: PacketWriter, name: string, parent: number, events: readonly TraceEvent[]): void {
  const tracks = [trace.track(name, parent)];
  const byLane: LaneEvent[][] = [[]];
  for (const assigned of assignLanes(events)) {
    const { lane } = assigned;
    byLane[lane] ??= [];
    byLane[lane].push(assigned);
    tracks[lane] ??= trace.track(`${name} (${lane + 1})`, tracks[0]);
  }
  for (const [lane, own] of byLane.entries()) writeLane(trace, tracks[lane], own);
}

/** Begins and ends in the order of time, each end before whatever begins at the same moment. */
function writeLane(trace: PacketWriter, track: number, events: readonly LaneEvent[]): void {
  const open: number[] = [];
  const closeUntil = (ns: number): void => {
    while (open.length > 0 && open[open.length - 1] <= ns) trace.event(TYPE.end, track, open.pop()!);
  };
  for (const { event } of events) {
    const { startNs, durationNs } = event;
    closeUntil(startNs);
    trace.event(durationNs === undefined ? TYPE.instant : TYPE.begin, track, startNs, event);
    if (durationNs !== undefined) open.push(startNs + durationNs);
  }
  closeUntil(Infinity);
}

class PacketWriter {
  readonly #out = new BinaryWriter();
  #tracks = 0;

  /** Declares a track and returns its uuid. */
  track(name: string, parent?: number): number {
    const uuid = ++this.#tracks;
    const out = this.#begin();
    out.tag(PACKET.track, WireType.LengthDelimited).fork();
    out.tag(TRACK.uuid, WireType.Varint).uint64(uuid);
    out.tag(TRACK.name, WireType.LengthDelimited).string(name);
    if (parent !== undefined) out.tag(TRACK.parent, WireType.Varint).uint64(parent);
    out.join();
    out.join();
    return uuid;
  }

  event(type: number, track: number, ns: number, event?: TraceEvent): void {
    const out = this.#begin();
    out.tag(PACKET.timestamp, WireType.Varint).uint64(ns);
    out.tag(PACKET.event, WireType.LengthDelimited).fork();
    for (const [name, value] of Object.entries(event?.args ?? {})) annotate(out, name, value);
    out.tag(EVENT.type, WireType.Varint).int32(type);
    out.tag(EVENT.track, WireType.Varint).uint64(track);
    if (event !== undefined) out.tag(EVENT.name, WireType.LengthDelimited).string(event.name);
    out.join();
    out.join();
  }

  finish(): Uint8Array {
    return this.#out.finish();
  }

  #begin(): BinaryWriter {
    this.#out.tag(TRACE.packet, WireType.LengthDelimited).fork();
    return this.#out.tag(PACKET.sequence, WireType.Varint).uint32(SEQUENCE);
  }
}

function annotate(out: BinaryWriter, name: string, value: string | number | boolean): void {
  out.tag(EVENT.annotation, WireType.LengthDelimited).fork();
  out.tag(ANNOTATION.name, WireType.LengthDelimited).string(name);
  if (typeof value === 'boolean') out.tag(ANNOTATION.bool, WireType.Varint).bool(value);
  else if (typeof value === 'string') out.tag(ANNOTATION.string, WireType.LengthDelimited).string(value);
  else if (Number.isSafeInteger(value)) out.tag(ANNOTATION.int, WireType.Varint).int64(value);
  else out.tag(ANNOTATION.double, WireType.Bit64).double(value);
  out.join();
}
