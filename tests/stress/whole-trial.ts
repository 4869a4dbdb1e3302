import type { TrialResult } from '@dmabuf-lab/lab';

/** Whether a trial broke no rule and left nothing behind. */
export const isWhole = ({ violations, ledger }: TrialResult): boolean =>
  violations.length === 0 && ledger !== null && Object.values(ledger).every((left) => left === 0);
