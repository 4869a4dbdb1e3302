/** What a device reports at its end, and of it what a run counts while it goes on. */
import { DeviceStatistics } from '@dmabuf-lab/core/driver';
import type { CountWords } from './count-words.js';

export class CountedStatistics extends DeviceStatistics {
  /** @param actor number of the device */
  constructor(
    private readonly words: CountWords,
    private readonly actor: number,
  ) {
    super();
  }

  override tookFrame(): void {
    super.tookFrame();
    this.words.add(this.actor, 'frames');
  }

  override madeFrame(): void {
    super.madeFrame();
    this.words.add(this.actor, 'frames');
  }

  override count(name: string, by = 1): void {
    super.count(name, by);
    if (name === 'checksFailed') this.words.add(this.actor, 'torn', by);
  }
}
