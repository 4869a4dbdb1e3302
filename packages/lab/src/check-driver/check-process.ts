/** The process in which a driver is checked: whatever the driver does to it, the one that watches can tell. */
import { writeSync } from 'node:fs';
import { conformDriver } from '@dmabuf-lab/core/testing';
import { driverModule } from './driver-module.js';
import { CHANNEL, type CheckMessage, type CheckRequest } from './protocol.js';

/** At once, since the next step may never end. */
const tell = (message: CheckMessage): void => {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < line.length; ) at += writeSome(line, at);
};

function writeSome(line: Buffer, at: number): number {
  try {
    return writeSync(CHANNEL, line, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

const { given, specifier, fromFolder, ...options } = JSON.parse(process.argv[2]) as CheckRequest;
process.setSourceMapsEnabled(true);
try {
  const { load, module } = await driverModule({ given, specifier, fromFolder });
  const result = await conformDriver(load, {
    ...{ ...options, module },
    onRun: ({ name, throwing, hanging }) => tell({ run: name, throwing, hanging }),
    onFound: (found) => tell({ found }),
    onNote: (note) => tell({ note }),
    onAnswered: (answered) => tell({ answered }),
    onCall: (call, { text: place }) => tell({ call, ...(place !== undefined && { place }) }),
  });
  tell({ result });
} catch (error) {
  if ((error as { readonly exitCode?: unknown }).exitCode !== 2) throw error;
  const { message, example } = error as Error & { readonly example?: unknown };
  const hint = example === undefined ? '' : `; give them, e.g. --parameters '${JSON.stringify(example)}'`;
  tell({ refused: `${message}${hint}` });
}
process.exit(); // a driver may have left timers behind
