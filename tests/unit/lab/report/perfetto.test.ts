import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';
import type { TraceEvent } from '@dmabuf-lab/core/base';
import { encodePerfettoTrace } from '@dmabuf-lab/lab';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

interface Packet {
  ns?: number;
  sequence?: number;
  track?: { uuid: number; name: string; parent?: number };
  event?: { type: number; track: number; name?: string; args: Record<string, string | number | boolean> };
}

/** Calls back for every field of a message; an unknown one fails the test. */
function readFields(reader: BinaryReader, length: number, fields: Record<number, (wire: WireType) => void>): void {
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [field, wire] = reader.tag();
    if (fields[field] === undefined) throw new Error(`unexpected field ${field}`);
    fields[field](wire);
  }
}

function decode(bytes: Uint8Array): Packet[] {
  const reader = new BinaryReader(bytes);
  const packets: Packet[] = [];
  readFields(reader, bytes.byteLength, {
    1: () => {
      const packet: Packet = {};
      readFields(reader, reader.uint32(), {
        8: () => {
          packet.ns = Number(reader.uint64());
        },
        10: () => {
          packet.sequence = reader.uint32();
        },
        11: () => {
          packet.event = readEvent(reader);
        },
        60: () => {
          packet.track = readTrack(reader);
        },
      });
      packets.push(packet);
    },
  });
  return packets;
}

function readTrack(reader: BinaryReader): Packet['track'] {
  const track: Packet['track'] = { uuid: 0, name: '' };
  readFields(reader, reader.uint32(), {
    1: () => {
      track.uuid = Number(reader.uint64());
    },
    2: () => {
      track.name = reader.string();
    },
    5: () => {
      track.parent = Number(reader.uint64());
    },
  });
  return track;
}

function readEvent(reader: BinaryReader): Packet['event'] {
  const event: NonNullable<Packet['event']> = { type: 0, track: 0, args: {} };
  readFields(reader, reader.uint32(), {
    4: () => {
      let name = '';
      let value: string | number | boolean = '';
      readFields(reader, reader.uint32(), {
        2: () => {
          value = reader.bool();
        },
        4: () => {
          value = Number(reader.int64());
        },
        5: () => {
          value = reader.double();
        },
        6: () => {
          value = reader.string();
        },
        10: () => {
          name = reader.string();
        },
      });
      event.args[name] = value;
    },
    9: () => {
      event.type = reader.int32();
    },
    11: () => {
      event.track = Number(reader.uint64());
    },
    23: () => {
      event.name = reader.string();
    },
  });
  return event;
}

const NAMES = ['?', 'begin', 'end', 'instant'];

/** Tracks by their path from the root, and what happens on each: `begin job 10`. */
function read(events: readonly TraceEvent[]): Record<string, string[]> {
  const packets = decode(encodePerfettoTrace(events, 'run'));
  const tracks = new Map(packets.flatMap(({ track }) => (track ? [[track.uuid, track]] : [])));
  const pathOf = (uuid: number): string => {
    const track = tracks.get(uuid);
    if (track === undefined) throw new Error(`no track ${uuid}`);
    return track.parent === undefined ? track.name : `${pathOf(track.parent)}/${track.name}`;
  };
  const log: Record<string, string[]> = Object.fromEntries([...tracks.keys()].map((uuid) => [pathOf(uuid), []]));
  for (const { event, ns } of packets) {
    if (event === undefined) continue;
    log[pathOf(event.track)].push([NAMES[event.type], event.name, ns].filter((part) => part !== undefined).join(' '));
  }
  return log;
}

const span = (track: string, name: string, startNs: number, durationNs: number): TraceEvent => ({
  track,
  name,
  startNs: startNs as TraceEvent['startNs'],
  durationNs: durationNs as TraceEvent['startNs'],
});

test('encodePerfettoTrace: device tracks stand under devices, those of buffers under buffers', (t) => {
  const events = [
    span('gpu', 'job', 10, 5),
    span('buffer camera.out[0]', 'move', 20, 5),
    { track: 'gpu', name: 'attach', startNs: 0 as TraceEvent['startNs'] },
  ];
  t.deepEqual(read(events), {
    run: [],
    'run/devices': [],
    'run/devices/gpu': ['instant attach 0', 'begin job 10', 'end 15'],
    'run/buffers': [],
    'run/buffers/buffer camera.out[0]': ['begin move 20', 'end 25'],
  });
});

test('encodePerfettoTrace: spans within each other stay on one track, in the order a stack needs', (t) => {
  const events = [span('gpu', 'inner', 10, 10), span('gpu', 'outer', 10, 30), span('gpu', 'next', 40, 0)];
  t.deepEqual(read(events)['run/devices/gpu'], [
    'begin outer 10',
    'begin inner 10',
    'end 20',
    'end 40',
    'begin next 40',
    'end 40',
  ]);
});

test('encodePerfettoTrace: spans that overlap in part go to sub-tracks', (t) => {
  const log = read([
    span('gpu', 'a', 0, 10),
    span('gpu', 'b', 5, 10),
    span('gpu', 'c', 8, 10),
    span('gpu', 'd', 10, 5),
  ]);
  t.deepEqual(log['run/devices/gpu'], ['begin a 0', 'end 10', 'begin d 10', 'end 15']);
  t.deepEqual(log['run/devices/gpu/gpu (2)'], ['begin b 5', 'end 15']);
  t.deepEqual(log['run/devices/gpu/gpu (3)'], ['begin c 8', 'end 18']);
});

test('encodePerfettoTrace: arguments keep their types, and times beyond 32 bits their value', (t) => {
  const args = { buffer: 'camera.out[0]', bytes: 2 ** 40, share: 0.5, held: true, left: -1 };
  const startNs = 3_600_000_000_001 as TraceEvent['startNs'];
  const packets = decode(encodePerfettoTrace([{ track: 'gpu', name: 'map', startNs, args }], 'run'));
  const found = packets.find(({ event }) => event !== undefined);
  t.is(found?.ns, 3_600_000_000_001);
  t.deepEqual(found?.event?.args, args);
  t.true(packets.every(({ sequence }) => sequence === 1));
});

test('encodePerfettoTrace: a run without events is a trace with the process only', (t) => {
  t.deepEqual(read([]), { run: [] });
});

testProp(
  'encodePerfettoTrace: on every track time does not go back and every span ends as the last that began',
  [fc.array(fc.record({ startNs: fc.nat(50), durationNs: fc.nat(20) }), { maxLength: 30 })],
  (t, spans) => {
    const log = read(spans.map(({ startNs, durationNs }, i) => span('gpu', `${i}`, startNs, durationNs)));
    let begun = 0;
    for (const events of Object.values(log)) {
      let lastNs = 0;
      const open: number[] = [];
      for (const event of events) {
        const [type, ...rest] = event.split(' ');
        const ns = Number(rest.at(-1));
        t.true(ns >= lastNs);
        lastNs = ns;
        if (type === 'begin') {
          begun += 1;
          const { startNs, durationNs } = spans[Number(rest[0])];
          t.is(ns, startNs);
          open.push(startNs + durationNs);
        } else t.is(open.pop(), ns);
      }
      t.is(open.length, 0);
    }
    t.is(begun, spans.length);
  },
);
