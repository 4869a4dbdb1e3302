/**
 * Named sites of a stress run at which things go wrong: a site is armed for the whole run, and then fires by chance at each visit,
 * by draws from a stream of its own.
 *
 * They lie around the heaps, the costs and the services of the exporter, where the run is put together, and in the drivers of the
 * run: production code knows nothing of them. They are silent once faults have stopped.
 */
import { type Nanoseconds, type RandomStream, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { pauseOf, type StressPlan } from './plan.js';
import { SITES, type Site } from './sites.js';
import type { StressWords } from './stress-words.js';

/** How late whatever is late comes, on average, in pauses of a driver. */
const LATE_PAUSES = 2;

export class FaultSites {
  readonly #streams = new Map<Site, RandomStream>();

  constructor(
    private readonly host: ActorHost,
    private readonly words: StressWords,
    private readonly plan: StressPlan,
  ) {}

  /** A visit of a site. @returns whether it fires now */
  fires(site: Site): boolean {
    const { host, words, plan } = this;
    if (host.words.load(host.stopWord) !== 0 || host.clock.now() >= plan.durationNs) return false;
    const number = SITES.indexOf(site);
    words.countSite(number, 'visits');
    const rate = plan.sites[site];
    if (rate === undefined || this.#stream(site).uniform() >= rate) return false;
    words.countSite(number, 'fired');
    return true;
  }

  /** A visit of a site. @returns how much longer it takes this time: 0 when it does not fire */
  lateNs(site: Site): Nanoseconds {
    return this.fires(site) ? Math.ceil(this.#stream(site).exponential(LATE_PAUSES * pauseOf(this.plan))) : 0;
  }

  /** Visits a site, and waits there when it fires. */
  *late(site: Site): Task<void> {
    const lateNs = this.lateNs(site);
    if (lateNs > 0) yield* sleepUntil(this.host.clock.now() + lateNs, `the site ${site}`);
  }

  #stream(site: Site): RandomStream {
    let stream = this.#streams.get(site);
    if (stream === undefined) {
      stream = this.host.random(`site ${site}, life ${this.host.life}`);
      this.#streams.set(site, stream);
    }
    return stream;
  }
}
