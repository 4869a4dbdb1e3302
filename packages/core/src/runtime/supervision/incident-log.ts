import type { Incident } from './faults.js';

/** Incidents of a run that are kept, beside what becomes of the deaths among them. */
export const MAX_INCIDENTS = 100_000;

/**
 * The incidents of a run in order of time. The first `MAX_INCIDENTS` are kept and the others counted; but of a death that is
 * kept, what becomes of it is kept too, so that nobody is taken for lost who came back. That is at most two more for each.
 */
export class IncidentLog {
  readonly incidents: Incident[] = [];
  dropped = 0;
  /** How many are kept for their own sake. */
  #count = 0;
  /** Actors whose last death is kept. */
  readonly #followed = new Set<string>();

  add(incident: Incident): void {
    if (!this.#isKept(incident)) {
      this.dropped += 1;
      return;
    }
    let place = this.incidents.length;
    while (place > 0 && this.incidents[place - 1].atNs > incident.atNs) place -= 1;
    this.incidents.splice(place, 0, incident);
  }

  #isKept({ kind, actor }: Incident): boolean {
    if (kind === 'gave-up') return true; // the last of a run
    if (kind === 'reclaimed' || kind === 'restarted') return this.#followed.has(actor);
    const hasRoom = this.#count < MAX_INCIDENTS;
    if (hasRoom) this.#count += 1;
    if (kind !== 'died') return hasRoom;
    if (hasRoom) this.#followed.add(actor);
    else this.#followed.delete(actor);
    return hasRoom;
  }
}
