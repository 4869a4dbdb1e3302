/** What the process that checks a driver tells the one that watches it: a line of JSON each. */
import type { ConformResult, RuleName, ToldFinding } from '@dmabuf-lab/core/testing';

/** What is to be checked: the first argument of the process, as JSON. */
export interface CheckRequest {
  /** As the user named it, for messages. */
  readonly given: string;
  /** An absolute path, or the name of a package or a built-in driver. */
  readonly specifier: string;
  readonly fromFolder: string;
  readonly parameters?: unknown;
  readonly rules?: readonly RuleName[];
  readonly seed: number;
  readonly runtime: 'virtual' | 'threads';
  /** Real time after which the driver hangs. */
  readonly limitMs: number;
}

export type CheckMessage =
  /** A run begins; the rules that are broken when the driver ends the process, or never ends. */
  | { readonly run: string; readonly throwing: RuleName; readonly hanging: RuleName }
  /** The driver calls something. */
  | { readonly call: string; readonly place?: string }
  /** What is found, what could not be looked at, and rules all runs of which are over: told at once, in case it never comes back. */
  | { readonly found: ToldFinding }
  | { readonly note: string }
  | { readonly answered: readonly RuleName[] }
  | { readonly result: ConformResult }
  | { readonly refused: string };

/** The descriptor that they go through: what the driver prints goes elsewhere. */
export const CHANNEL = 3;
