/**
 * Schedules as text.
 *
 * `a12b3!ac` reads: actor a performs 12 steps, then b 3; a crashes; c goes on until it waits or ends. Letters are actors
 * in the order of their board, reclaimers after them. What the text leaves open is filled in: the running actor goes on,
 * and where it cannot, the first one that can. A segment whose actor cannot run is passed over.
 */
export interface Segment {
  readonly actor: number;
  /** Steps, or Infinity: until it waits or ends. */
  readonly steps: number;
  /** The actor is never resumed from here on. */
  readonly crash?: boolean;
}

export type Schedule = readonly Segment[];

const FIRST_LETTER = 'a'.charCodeAt(0);

export function formatSchedule(schedule: Schedule): string {
  return schedule
    .map(({ actor, steps, crash }) => {
      const letter = String.fromCharCode(FIRST_LETTER + actor);
      return crash ? `!${letter}` : `${letter}${Number.isFinite(steps) ? steps : ''}`;
    })
    .join('');
}

/** @throws Error when the text is no schedule */
export function parseSchedule(text: string): Schedule {
  if (!/^(?:![a-h]|[a-h]\d*)*$/.test(text)) {
    throw new Error(`Cannot replay a schedule: it is made of parts like a12, b or !a, got ${text}`);
  }
  return [...text.matchAll(/(!?)([a-h])(\d*)/g)].map(([, crash, letter, steps]) => {
    const actor = letter.charCodeAt(0) - FIRST_LETTER;
    if (crash !== '') return { actor, steps: 0, crash: true };
    return { actor, steps: steps === '' ? Number.POSITIVE_INFINITY : Number(steps) };
  });
}
