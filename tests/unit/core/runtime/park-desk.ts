/** Rows of three actors, filled as their workers would. */
import { type ActorId, AtomicWords, actorId, type WordIndex, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import { DeadlockLook, ParkRows, ParkWords, RUNTIME_WORDS, type Sight, type WaitOwner } from '@dmabuf-lab/core/runtime';

export const CAMERA = actorId(1);
export const GPU = actorId(2);
export const SERVER = actorId(3);

/** Words of which each is ended by one actor, and rows of three actors, as their workers would fill them. */
export class Desk {
  readonly words = new AtomicWords(new SharedArrayBuffer(4 * RUNTIME_WORDS));
  readonly memory = new AtomicWords(new SharedArrayBuffer(ParkWords.sizeBytes(3)));
  readonly parks = new ParkWords(this.memory);
  readonly posted = new Map<ActorId, number>();
  readonly owners = new Map<WordIndex, WaitOwner>();
  /** What the numbers of an actor's texts mean. */
  readonly texts = new Map<ActorId, Map<number, string>>();
  look = new DeadlockLook(this.words, this.parks, { ownersOf: ({ word }) => this.ownersOf(word) });

  ownersOf(word: WordIndex): WaitOwner[] {
    const owner = this.owners.get(word);
    return owner === undefined ? [] : [owner];
  }

  rows(actor: ActorId): ParkRows {
    const texts = new Map<number, string>();
    this.texts.set(actor, texts);
    return new ParkRows(this.parks, actor, (number, text) => texts.set(number, text));
  }

  /** A wait for a word that an actor ends. */
  waitFor(owner: ActorId, untilNs?: number, generator?: number): WordPark {
    const word = wordIndex(this.owners.size);
    this.owners.set(word, { actor: owner, ...(generator !== undefined && { generator }) });
    return new WordPark(word, 0, `a word of ${owner}`, untilNs);
  }

  see(nowNs = 0): Sight {
    const actors = [CAMERA, GPU, SERVER].map((id) => ({
      id,
      name: `actor ${id}`,
      posted: this.posted.get(id) ?? 0,
      isCalled: id === SERVER,
      text: (number: number) => this.texts.get(id)?.get(number),
    }));
    return this.look.look(actors, nowNs);
  }

  cycles(nowNs?: number): string[] {
    return this.see(nowNs).deadlocks.map(({ text }) => text);
  }
}

export const CYCLE = 'actor 1 -> a word of 2 -> actor 2/lane 1 -> a word of 1 -> actor 1';

/** Two that wait for each other. */
export function crossed(untilNs?: number) {
  const desk = new Desk();
  const camera = desk.rows(CAMERA);
  const gpu = desk.rows(GPU);
  const one = camera.begin('main');
  const two = gpu.begin('lane 1');
  const park = desk.waitFor(GPU, untilNs);
  one.park(park, false);
  two.park(desk.waitFor(CAMERA), false);
  return { desk, camera, gpu, one, two, park };
}
