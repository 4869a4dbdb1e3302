/** When a buffer moves, and when a move is refused before it begins. How it moves is the mover's business. */
import { isErrno, type Task } from '../base/index.js';
import { forcingDevices, pinnedForStayText } from '../constraints/index.js';
import type { BufferStorage } from './buffer-storage.js';
import type { AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import { cannotMove } from './exporter-errors.js';
import type { ExporterParts, MoveCause, Mover } from './exporter-ports.js';
import { pinsForItsStay } from './protocol.js';

export class BufferMoves {
  constructor(
    private readonly parts: Pick<ExporterParts, 'services' | 'buffers' | 'queues'>,
    private readonly storage: BufferStorage,
    private readonly mover: Mover,
  ) {}

  /**
   * Moves a buffer to where its devices reach it.
   *
   * Context: inside the buffer's service queue.
   * @throws ErrnoError of `StoragePlanner.solve`, `StoragePlanner.allocate` and `Mover.move`
   */
  *move(buffer: ExportedBuffer, cause: MoveCause): Task<void> {
    const target = yield* this.storage.target(buffer);
    yield* this.mover.move(buffer, target, cause);
    this.storage.lookForHazards(buffer, buffer.constraints());
  }

  /**
   * Moves a buffer for the map of a device, on behalf of all that cannot reach it.
   *
   * @throws ErrnoError EBUSY when it is known that the move would wait in vain
   */
  *forMap(buffer: ExportedBuffer, attached: AttachedDevice, requestedNs: number): Task<void> {
    const { planner } = this.storage;
    const unreachable = planner.unreachable(buffer);
    this.#refuseIfBlocked(buffer, attached.device);
    const placement = planner.solve(buffer);
    const { allocation } = buffer;
    const violation = allocation && planner.violation(allocation, unreachable[0].constraints);
    yield* this.move(buffer, {
      reason: `${violation}; ${placement.explanation.prose}`,
      forcedBy: forcingDevices(placement),
      requestedNs,
      attachments: unreachable.map(({ slot }) => slot),
      asker: attached.slot,
    });
  }

  /** A map that needs a move is refused where it is known already that the move would wait in vain. */
  #refuseIfBlocked(buffer: ExportedBuffer, device: string): void {
    const { buffers } = this.parts;
    const pinners = [...buffer.attachments.values()].filter(
      (attached) => pinsForItsStay(attached) && buffers.pinsOf(attached.slot) > 0,
    );
    if (pinners.length > 0) {
      const names = pinners.map((attached) => attached.device);
      throw cannotMove(buffer, device, pinnedForStayText(names), names);
    }
    const holders: string[] = [];
    for (const slot of buffer.blockers) {
      const attached = buffer.attachments.get(slot);
      if (attached !== undefined && buffers.mappings(slot) > 0) holders.push(attached.device);
      else buffer.blockers.delete(slot);
    }
    if (holders.length === 0) return;
    const why = `${holders.join(', ')} holds it mapped until REQBUFS(0), and a move has waited in vain`;
    throw cannotMove(buffer, device, why, holders);
  }

  /** Moves a buffer to a cheaper heap that suits the devices that are left. A failure leaves it where it is. */
  *back(buffer: ExportedBuffer, gone: string): Task<void> {
    const requestedNs = this.parts.services.clock.now();
    yield* this.parts.queues.serialised(buffer.slot, () => this.#backNow(buffer, gone, requestedNs));
  }

  *#backNow(buffer: ExportedBuffer, gone: string, requestedNs: number): Task<void> {
    if (buffer.dying || buffer.allocation === undefined || buffer.attachments.size === 0) return;
    const plan = this.storage.planner.planDetach(this.storage.situation(buffer), gone);
    if (plan.action !== 'migrate') return;
    try {
      yield* this.move(buffer, { reason: plan.why, forcedBy: [], requestedNs });
    } catch (error) {
      if (!isErrno(error)) throw error; // the move is on record as timed out or refused
    }
  }
}
