/**
 * Which kernel the dma-buf objects follow, and what happens to violations that Linux does not check.
 *
 * Linux trusts drivers: many breaches of the documented contract go unnoticed until memory is corrupt. Each of them is a
 * *finding* here. Like Linux, the call goes on and the finding is kept; in strict mode the call is refused and has changed
 * nothing.
 */
import { BoundedList, type ErrnoCode, ErrnoError, type ErrorDetails } from '../../base/index.js';

/** The versions that differ: 7 makes `moveNotify` optional, calls it `invalidateMappings`, and knows revocation. */
export type KernelVersion = '6.12' | '7';

/** Violations that Linux does not refuse. */
export type FindingKind =
  | 'detach-foreign'
  | 'detach-while-mapped'
  | 'detach-while-pinned'
  | 'pin-by-static-importer'
  | 'pin-refused-as-busy'
  | 'unpin-unbalanced'
  | 'unmap-twice'
  | 'unmap-after-detach'
  | 'unmap-other-direction'
  | 'touch-after-unmap'
  | 'touch-after-move'
  | 'touch-before-kernel-fence'
  | 'cpu-access-unbalanced'
  | 'cpu-access-open-at-release'
  | 'release-while-attached'
  | 'cache-cpu-reads-stale'
  | 'cache-device-reads-stale'
  | 'cache-cpu-write-lost'
  | 'cache-device-write-lost'
  | 'cache-write-in-read-access'
  // Where Linux waits for too little or too much; never refused.
  | 'v4l2-ignores-fence'
  | 'ahead-of-v4l2'
  | 'wait-without-conflict'
  // What programs leave to exit(2); never refused.
  | 'descriptor-left-open'
  | 'mapping-left-open'
  | 'attachment-left-open';

/** One violation. */
export interface DmaBufFinding {
  readonly kind: FindingKind;
  /** The kernel function at which it showed. */
  readonly op: string;
  readonly buffer: string;
  /** Who called. */
  readonly who: string;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** A finding, and the errno with which strict mode refuses the call. */
export interface FindingReport extends Omit<DmaBufFinding, 'details'> {
  readonly code: ErrnoCode;
  readonly details?: ErrorDetails;
}

export interface DmaBufRulesOptions {
  /** Default 6.12. */
  readonly kernel?: KernelVersion;
  /** Default like-linux. */
  readonly mode?: 'like-linux' | 'strict';
}

/** The rules of a set of buffers, and what was found against them. */
export class DmaBufRules {
  readonly kernel: KernelVersion;
  readonly mode: 'like-linux' | 'strict';
  readonly #findings = new BoundedList<DmaBufFinding>();

  constructor(options: DmaBufRulesOptions = {}) {
    this.kernel = options.kernel ?? '6.12';
    this.mode = options.mode ?? 'like-linux';
  }

  /** What was found so far, in order; in strict mode too. The first `MAX_RECORDS`. */
  get findings(): readonly DmaBufFinding[] {
    return this.#findings.items;
  }

  /** Findings that are not kept. */
  get findingsDropped(): number {
    return this.#findings.dropped;
  }

  /** Keeps a finding. @throws ErrnoError with the code of the report, in strict mode */
  report(report: FindingReport): void {
    this.note(report);
    if (this.mode === 'like-linux') return;
    const { code, op, message, kind, buffer, who, details } = report;
    throw new ErrnoError(code, op, message, { ...details, kind, buffer, who });
  }

  /** Keeps a finding that never refuses a call, since an error is on its way or nothing can be undone. */
  note({ kind, op, buffer, who, message, details = {} }: Omit<FindingReport, 'code'>): void {
    this.#findings.add({ kind, op, buffer, who, message, details });
  }
}
