import type { ResvObject } from '../../sync/index.js';
import type { GuardedOps } from './guarded-ops.js';
import type { ObjectAudit } from './object-audit.js';
import type { ObjectVma } from './object-ops.js';
import type { WakeList } from './wake-list.js';

/** What the parts of one buffer share. */
export interface ObjectParts<Table, Vma extends ObjectVma> {
  /** What messages call the buffer. */
  readonly name: string;
  readonly reservation: ResvObject;
  readonly exporter: GuardedOps<Table, Vma>;
  readonly audit: ObjectAudit;
  readonly changes: WakeList;
}
