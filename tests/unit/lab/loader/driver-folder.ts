import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** A folder for drivers, with no node_modules above it that has anything of the lab; gone after the test. */
export function driverFolder(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'dmabuf-lab-drivers-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** A sink in TypeScript: releases what it takes. `top` stands at line 3. */
export const sink = (top = '', body = ''): string => `import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';
${top}
export default defineDriver({
  name: 'sink',
  parameters: z.strictObject({ gain: z.number().max(2).default(1) }),
  ports: { in: input() },
  plan: () => ({ outputs: {}, problems: [] }),
  *run(ctx) {
    const { in: source } = ctx.ports;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      ${body}
      source.release(frame);
    }
  },
});
`;
