/** Sends an exporter random control messages and checks after each that it has answered as it must, and lost nothing. */
import { isErrno, RandomStream } from '@dmabuf-lab/core/base';
import { type Answer, type Message, MessageBoard } from './message-board.js';
import { MessageSource } from './messages.js';

export interface FuzzReport {
  readonly messages: number;
  /** Messages answered at once, by errno; `ok` for those that were served, `waits` for those answered later. */
  readonly answers: Readonly<Record<string, number>>;
}

/** After so many messages the bytes are counted. */
const COUNT_BYTES_EVERY = 500;
/** After so many messages everything is let go, so that runs differ in more than their beginning. */
const LET_GO_EVERY = 5_000;

export interface FuzzOptions {
  /** Keep the stacks of errors, which takes longer than all else; absent = false. */
  readonly stacks?: boolean;
  readonly onProgress?: (done: number) => void;
}

/**
 * @param count of messages
 * @throws Error with seed, number and message at the first that is not answered as it must
 */
export function fuzzMessages(seed: number, count: number, options: FuzzOptions = {}): FuzzReport {
  const { stackTraceLimit } = Error;
  if (options.stacks !== true) Error.stackTraceLimit = 0;
  try {
    return fuzz(seed, count, options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function fuzz(seed: number, count: number, { onProgress }: FuzzOptions): FuzzReport {
  const random = new RandomStream(seed, 'fuzz.messages');
  const board = new MessageBoard();
  const source = new MessageSource(random, () => board.liveBuffers);
  const answers: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const message = source.next();
    try {
      const key = sendOne(board, message);
      answers[key] = (answers[key] ?? 0) + 1;
      board.pass(1 + random.integer(random.uniform() < 0.01 ? 2_000_000 : 500));
      if ((i + 1) % COUNT_BYTES_EVERY === 0) checkBytes(board);
      if ((i + 1) % LET_GO_EVERY === 0) letGo(board);
    } catch (error) {
      const shown = `${message.from}: ${message.method} ${inspect(message.args)}`;
      throw new Error(`seed ${seed}, message ${i} (${shown}): ${(error as Error).stack}`);
    }
    onProgress?.(i + 1);
  }
  letGo(board);
  return { messages: count, answers };
}

function sendOne(board: MessageBoard, message: Message): string {
  const quarantined = board.isQuarantined(message.from);
  const before = board.state();
  const answer = board.send(message);
  if (answer === undefined || answer.ok) {
    if (message.broken || quarantined) throw new Error('served, and it had to be refused');
    return answer === undefined ? 'waits' : 'ok';
  }
  const code = codeOf(answer);
  const mustBe = quarantined ? ['EPROTO'] : ['EPROTO', 'EOPNOTSUPP'];
  if ((message.broken || quarantined) && !mustBe.includes(code)) throw new Error(`broken, and refused with ${code}`);
  if (board.state() !== before) throw new Error(`refused with ${code}, and changed\n${before}to\n${board.state()}`);
  return code;
}

/** The declared errno of an answer. */
function codeOf(answer: Answer & { ok: false }): string {
  if (!isErrno(answer.error)) throw new Error(`refused with what is no errno: ${answer.error.stack}`);
  return answer.error.code;
}

function checkBytes(board: MessageBoard): void {
  if (board.pending > 0) return; // a move or an allocation under way holds bytes of its own
  const { out, held } = board.bytes();
  if (out !== held) throw new Error(`the heaps have handed out ${out} bytes, and the buffers hold ${held}`);
}

/** Everybody detaches, all buffers are destroyed, and nothing may be left. */
function letGo(board: MessageBoard): void {
  const { exporter } = board.table;
  for (const buffer of board.liveBuffers) {
    const handle = { slot: buffer.slot, life: buffer.life };
    board.table.run(exporter.seal({ buffer: handle })); // some wait for devices, a junk time long
    for (const { slot } of [...buffer.attachments.values()]) {
      board.table.run(exporter.detach({ buffer: handle, attachment: slot, ended: true }));
    }
    if (!buffer.dying) board.table.spawned.push(exporter.destroy({ buffer: handle }));
  }
  board.drain();
  const { out } = board.bytes();
  const left = { buffers: board.liveBuffers.length, bytes: out, waiting: board.pending };
  if (Object.values(left).some((what) => what !== 0)) throw new Error(`something is left: ${JSON.stringify(left)}`);
}

function inspect(args: unknown): string {
  const text = JSON.stringify(args, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'undefined';
  return text.slice(0, 1000);
}
