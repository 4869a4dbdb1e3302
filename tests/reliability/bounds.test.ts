/** Row 17: what a run writes down of itself stays within its bounds, however long it goes on, and says what it has left out. */
import { MAX_RECORDS, type Task } from '@dmabuf-lab/core/base';
import { MAX_HISTORY } from '@dmabuf-lab/core/dma-buf';
import { LatencySample, MAX_RANGES, SequenceLog } from '@dmabuf-lab/core/driver';
import { type ActorControl, MAX_INCIDENTS, Supervisor } from '@dmabuf-lab/core/runtime';
import { describeLatencies, summarize, summarizeLatency } from '@dmabuf-lab/lab';
import test from 'ava';
import { CAMERA, ENCODER, TableTop } from '../unit/core/dma-buf/table-top.js';
import { quietResult } from '../unit/lab/result/sample-result.js';

const MANY = 100_000;

/** A table whose journal can be looked at. */
function tableWithJournal() {
  const entries = new Map<string, unknown>();
  const set = (key: string, value: unknown): void => {
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  };
  const restored = new Map<string, unknown>();
  return { entries, table: new TableTop({ moveBack: 'idle' }, undefined, undefined, { journal: { restored, set } }) };
}

const SIZE_BYTES = 32_768;
/** Of two moves each. */
const ROUNDS = 600;

test('row 17: 100,000 records of attaches and allocations, and moves to and fro, leave bounded records and all counts', (t) => {
  const { entries, table } = tableWithJournal();
  const buffer = table.create({ sizeBytes: SIZE_BYTES });
  const camera = table.importer(CAMERA);
  camera.unmap(table.run(camera.map(table.run(camera.attach(buffer)), table.lane())));
  const [live] = table.exporter.liveBuffers;
  const { records } = table.exporter;
  for (let i = 1; i < MANY; i += 1) {
    records.attach(live, 'gpu', 'refused', 'no heap suits', [], i);
    if (live.allocation !== undefined) records.allocation(live, live.allocation, 'deferred', i, 1);
  }
  const encoder = table.importer(ENCODER);
  const lane = table.lane();
  const before = entries.size;
  for (let i = 0; i < ROUNDS; i += 1) {
    const attachment = table.run(encoder.attach(buffer));
    encoder.unmap(table.run(encoder.map(attachment, lane)));
    table.run(encoder.detach(attachment));
    for (const task of table.spawned.splice(0)) table.run(task); // the move back
  }
  const { tally } = table.exporter;
  t.deepEqual([live.moves.length, live.placements.length], [MAX_HISTORY, MAX_HISTORY]);
  t.is(tally.moved, 2 * ROUNDS, 'all are counted, half of them there and half of them back');
  t.is(tally.movesDropped, 2 * ROUNDS - MAX_HISTORY);
  t.is(table.exporter.bytesMoved, 2 * ROUNDS * SIZE_BYTES);
  t.deepEqual([records.attaches.length, records.allocations.length], [MAX_RECORDS, MAX_RECORDS]);
  t.is(records.dropped.attaches, MANY + ROUNDS - MAX_RECORDS);
  t.is(records.dropped.allocations, MANY + 2 * ROUNDS - MAX_RECORDS);
  t.is(entries.size, before, 'nor does the journal grow');
});

test('row 17: buffers that come and go leave bounded records, which the next life of the exporter goes on with', (t) => {
  const { entries, table } = tableWithJournal();
  for (let i = 0; i < MAX_RECORDS + 5; i += 1)
    table.run(table.exporter.destroy({ buffer: table.create({ sizeBytes: 4096 }) }));
  t.is(table.exporter.allBuffers.length, MAX_RECORDS);
  t.is(table.exporter.tally.buffersDropped, 5);
  const { words, memory } = table;
  const next = new TableTop({}, undefined, undefined, { words, memory, journal: { restored: entries, set: () => {} } });
  t.is(next.exporter.allBuffers.length, MAX_RECORDS);
  t.is(next.exporter.tally.buffersDropped, 5);
});

test('row 17: 150,000 deaths and restarts leave bounded incidents, and whoever came back is told with its death', (t) => {
  let nowNs = 0;
  let deaths = 0;
  const control: ActorControl = {
    now: () => nowNs,
    spawn: (_name, task) => void drain(task),
    hold: () => () => {},
    untilScenarioTime: function* () {
      return true;
    },
    isRunning: () => true,
    life: () => deaths,
    end: () => {},
    pause: () => {},
    silentSinceNs: () => undefined,
    reclaim: (_actor, _returns, done) => done(),
    start: () => {},
    fail: (error) => {
      throw error;
    },
  };
  const restart = { strategy: 'one-for-one', restarts: 2, withinNs: 1, backoffNs: 0, maxBackoffNs: 0 } as const;
  const supervisor = new Supervisor(control, ['gpu'], [], { restart, lateNs: 1e9, hungNs: 1e10 });
  for (; deaths < 1.5 * MANY; nowNs += 10) {
    deaths += 1;
    supervisor.onDeath('gpu', 'failed');
  }
  const { incidents, incidentsDropped } = supervisor;
  t.is(incidents.length, 3 * MAX_INCIDENTS);
  t.is(incidents.length + incidentsDropped, 3 * 1.5 * MANY);
  t.deepEqual(
    incidents.slice(-3).map(({ kind }) => kind),
    ['died', 'reclaimed', 'restarted'],
  );
});

/** Runs a task whose time is always come. */
function drain(task: Task<void>): void {
  while (task.next(true).done !== true);
}

test('row 17: latencies beyond their bound become a sample, the same in each run, that keeps count, mean, least and most', (t) => {
  const CAPACITY = 4096;
  const all: number[] = [];
  const fill = (sample: LatencySample, count: number): void => {
    // Every second frame waits: a sample of every second one would see one kind only.
    for (let i = 0; i < count; i += 1) sample.add(i % 2 === 0 ? 1000 + (i % 100) : 50_000);
  };
  const sample = new LatencySample(CAPACITY);
  fill(sample, MANY);
  for (let i = 0; i < MANY; i += 1) all.push(i % 2 === 0 ? 1000 + (i % 100) : 50_000);
  const { sampleNs } = sample.report();
  t.true(sampleNs.length <= CAPACITY && sampleNs.length > CAPACITY / 4);
  const [told, exact] = [describeLatencies(sample.report()), summarizeLatency(all)];
  t.deepEqual({ ...told, p50Ns: 0 }, { ...exact, p50Ns: 0 });
  const slow = sampleNs.filter((ns) => ns === 50_000).length / sampleNs.length;
  t.true(slow > 0.45 && slow < 0.55, `${slow}`);
  const again = new LatencySample(CAPACITY);
  fill(again, MANY);
  t.deepEqual(again.report(), sample.report());
});

test('row 17: latencies up to their bound are all there', (t) => {
  const sample = new LatencySample(8);
  for (let i = 0; i < 8; i += 1) sample.add(i);
  t.deepEqual(sample.report(), { sampleNs: [0, 1, 2, 3, 4, 5, 6, 7], count: 8, sumNs: 28, minNs: 0, maxNs: 7 });
  sample.add(8);
  t.true(sample.report().sampleNs.length < 8);
});

test('row 17: sequence numbers in more ranges than there is room for, are counted', (t) => {
  const log = new SequenceLog();
  for (let i = 0; i < 2 * MAX_RANGES; i += 1) log.add(2 * i);
  t.deepEqual([log.ranges().length, log.count, log.dropped], [MAX_RANGES, 2 * MAX_RANGES, MAX_RANGES]);
});

test('row 17: the summary of a run says what it has no room for', (t) => {
  const text = summarize({ ...quietResult, unrecorded: { attaches: 12, moves: 3 } });
  t.regex(text.replace(/\s+/g, ' '), /Not told one by one, for want of room: 12 attaches and 3 moves\./);
  t.notRegex(summarize(quietResult), /for want of room/);
});
