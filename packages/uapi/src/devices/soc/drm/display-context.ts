/** The context of a display's driver behind a node. */
import type { Nanoseconds, Task } from '@dmabuf-lab/core/base';
import type { Access, Artefact, Lane, Ports } from '@dmabuf-lab/core/driver';
import { NodeContext, type NodeContextParts } from '../node-context.js';
import type { NodeFrame } from '../node-frame.js';
import type { NodeJob } from '../node-job.js';
import type { DisplayInput } from './display-input.js';

export class DisplayContext extends NodeContext {
  /** The vblank that the driver is at, while it catches up with those that nobody needed. */
  #behindNs: Nanoseconds | undefined;

  /** @param counted called at each vblank */
  constructor(
    private readonly own: NodeContextParts,
    parameters: unknown,
    ports: Ports<Record<string, never>>,
    private readonly input: DisplayInput,
    private readonly counted: () => void,
  ) {
    super(own, parameters, ports);
  }

  override now(): Nanoseconds {
    return this.#behindNs ?? super.now();
  }

  /**
   * While nothing changes on the screen no time passes for its sake: the driver sleeps, and then sees the vblanks that have
   * been, each at its time. So a machine in which nothing else can happen stands still. Source: drm_vblank_offdelay, v6.12.
   */
  override *beat(timeNs: Nanoseconds): Task<void> {
    const { kernel } = this.own;
    const look = (): true | undefined => (this.input.needsVblank ? true : undefined);
    yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'a picture to show');
    if (timeNs < kernel.now()) this.#behindNs = timeNs;
    else {
      this.#behindNs = undefined;
      yield* super.beat(timeNs);
    }
    this.counted();
    this.input.vblank(timeNs);
  }

  override *begin(lane: Lane, accesses: readonly Access<NodeFrame>[]): Task<NodeJob> {
    const job = yield* super.begin(lane, accesses);
    for (const { frame } of accesses) this.input.begun(frame);
    return job;
  }

  /** The driver runs as often as the screen is turned on; a text goes on where the last one of its name ended. */
  override artefact(artefact: Artefact): void {
    const { artefacts } = this.own.statistics;
    const known = artefacts.findIndex(({ kind, name }) => kind === 'text' && name === artefact.name);
    if (known < 0 || artefact.kind !== 'text') {
      super.artefact(artefact);
      return;
    }
    const bytes = Uint8Array.from([...artefacts[known].bytes, ...artefact.bytes]);
    artefacts[known] = { ...artefact, bytes };
  }
}
