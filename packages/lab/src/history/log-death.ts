/** Puts a death into the histories of the buffers that the dead was touching. */
import { EVENT } from './history-events.js';
import type { HistoryWords } from './history-words.js';

/** @param deaths how often the actor has died: accesses of earlier lives end */
export function logDeath(words: HistoryWords, actor: number, deaths: number, nowNs: number): void {
  const lanes = words.lanesPerActor;
  for (let lane = actor * lanes; lane < (actor + 1) * lanes; lane += 1) {
    const wait = words.waitOf(lane);
    if (wait !== undefined && wait.life < deaths) words.setWait(lane, wait.life, undefined);
  }
  for (let slot = 0; slot < words.slotCount; slot += 1) {
    for (let lane = actor * lanes; lane < (actor + 1) * lanes; lane += 1) {
      const access = words.access(slot, lane);
      if (access === undefined || access.life >= deaths) continue;
      words.log(slot, nowNs, lane, access.life, EVENT.died, words.content(slot, 'begun'), 0);
      words.setAccess(slot, lane, access.life, 'none');
    }
  }
}
