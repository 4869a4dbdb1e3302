/** What the code of a worker prints, line by line and with its name: nobody else's output is mistaken for it. */
import type { Readable } from 'node:stream';

/** Longer lines are told in pieces, so that a line without an end takes no memory. */
const MAX_LINE_LENGTH = 16_384;

/** On a terminal a line of progress may stand where the output begins. */
const ERASE_LINE = '\r\u001b[K';

/** Takes a line that an actor has printed, without its end. */
export type OutputSink = (actor: string, line: string) => void;

/** Where lines go that nobody asked for: to stderr, so that what a command prints stays its own. */
export const labelToStderr: OutputSink = (actor, line) => {
  process.stderr.write(`${process.stderr.isTTY ? ERASE_LINE : ''}[${actor}] ${line}\n`);
};

/** Hands on each line of a stream; what stands behind the last line end comes with the end of the stream. */
export function tellLines(stream: Readable, actor: string, tell: OutputSink): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) tell(actor, line);
    for (; rest.length > MAX_LINE_LENGTH; rest = rest.slice(MAX_LINE_LENGTH))
      tell(actor, rest.slice(0, MAX_LINE_LENGTH));
  });
  stream.on('end', () => {
    if (rest !== '') tell(actor, rest);
    rest = '';
  });
}
