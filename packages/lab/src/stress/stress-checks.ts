/**
 * What the exporter's checkers have found, among the violations of a stress run: writes to freed pages (the DMA sanitizer), control
 * words that were overwritten (the slot watch), and messages that were broken (the guarded services).
 *
 * How far they have been told is counted in shared words: an exporter that is started again goes on from there.
 */
import { type Nanoseconds, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { BufferHandle, CorruptionRecord, SanitizerFinding } from '@dmabuf-lab/core/dma-buf';
import type { OpenExporter } from '@dmabuf-lab/core/driver';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { EVENT, lastUser } from '../history/index.js';
import { brokenText, corruptionText, freedWriteText } from '../report/summary-findings.js';
import { nameOfActor } from './plan.js';
import type { StressWords } from './stress-words.js';

export interface ChecksParts {
  readonly open: Pick<OpenExporter, 'exporter' | 'sanitizer' | 'watch' | 'guard'>;
  readonly words: StressWords;
  /** Lane and life of whoever tells. */
  readonly lane: number;
  readonly life: number;
  now(): number;
  /** Called after each violation. */
  onViolation(): void;
}

/** The buffer that a finding is about. */
interface Subject {
  readonly slot: number;
  readonly life: number;
  readonly culprit: number | undefined;
}

/** Buffers whose place is known after they are gone, for what is found late: the exporter keeps the first of a run only. */
const REMEMBERED = 1000;

export class StressChecks {
  /** The last ones, by name, oldest first. */
  readonly #opened = new Map<string, BufferHandle>();
  /** Of this life, those that the board counts. */
  #freedPages = 0;

  /** What earlier lives of the exporter have opened and is still there is known too. */
  constructor(private readonly parts: ChecksParts) {
    for (const { name, slot, life } of parts.open.exporter.liveBuffers) this.opened(name, { slot, life });
  }

  /** A buffer has its place. */
  opened(name: string, { slot, life }: BufferHandle): void {
    this.#opened.set(name, { slot, life });
    if (this.#opened.size <= REMEMBERED) return;
    const [oldest] = this.#opened.keys();
    this.#opened.delete(oldest);
  }

  /** Tells what was found since the last look. Costs little when that is nothing. */
  look(): void {
    const { sanitizer, watch, guard } = this.parts.open;
    const { words } = this.parts;
    const freedPages = Math.floor((sanitizer?.checkedBytes ?? 0) / PAGE_SIZE);
    if (freedPages > this.#freedPages) {
      words.addToRun('freed', freedPages - this.#freedPages);
      this.#freedPages = freedPages;
    }
    if (sanitizer !== undefined && sanitizer.damaged > words.runCount('damages')) {
      for (const finding of sanitizer.findings.slice(words.runCount('damages'))) this.#tellFreedWrite(finding);
    }
    if (watch.records.length > words.runCount('corruptions')) {
      for (const record of watch.records.slice(words.runCount('corruptions'))) this.#tellCorruption(record);
    }
    const senders = guard.records;
    if (senders.length <= words.runCount('senders')) return;
    for (const { actor, ...record } of senders.slice(words.runCount('senders'))) {
      words.addToRun('senders');
      this.#violation(brokenText({ device: actor, ...record }));
    }
  }

  /** Looks now and then at freed pages that nobody has wanted since, while the history of their buffer is still kept. */
  *lookAtFreed(everyNs: Nanoseconds, isOver: () => boolean): Task<void> {
    while (!isOver()) {
      yield* sleepUntil(this.parts.now() + everyNs, 'freed pages');
      this.parts.open.sanitizer?.flush();
      this.look();
    }
  }

  /** The run is over: looks at what nobody has looked at yet. */
  end(): void {
    const { sanitizer, watch } = this.parts.open;
    sanitizer?.flush();
    watch.lookAtAllTimelines();
    this.look();
  }

  #tellFreedWrite(finding: SanitizerFinding): void {
    this.parts.words.addToRun('damages');
    const { buffer, devices, freedNs } = finding;
    const text = freedWriteText({ ...finding, generations: [...finding.generations], devices: [...devices] });
    this.#violation(text, buffer === undefined ? undefined : this.#subject(buffer, devices, freedNs));
  }

  #tellCorruption(record: CorruptionRecord): void {
    this.parts.words.addToRun('corruptions');
    const { buffer, devices, seenNs } = record;
    const text = corruptionText({ ...record, devices: [...devices] });
    this.#violation(text, buffer === undefined ? undefined : this.#subject(buffer, devices, seenNs));
  }

  /** @param name of the buffer: no two of a run have the same */
  #subject(name: string, devices: readonly string[], untilNs: number): Subject | undefined {
    const found = this.#opened.get(name) ?? this.parts.open.exporter.allBuffers.find((buffer) => buffer.name === name);
    if (found === undefined) return undefined;
    const culprit = lastUser(this.parts.words, found, devices, untilNs, nameOfActor);
    return { slot: found.slot, life: found.life, culprit };
  }

  #violation(text: string, subject?: Subject): void {
    const { words, lane, life, now, onViolation } = this.parts;
    if (subject !== undefined) words.log(subject.slot, now(), lane, life, EVENT.violation, 0, 0);
    words.violation(text, subject?.slot, lane, subject?.culprit, subject?.life);
    onViolation();
  }
}
