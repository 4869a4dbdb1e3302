/** The drivers that are shipped as examples keep the rules, but for the one that is there to break one. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { conformDriver } from '@dmabuf-lab/core/testing';
import { loadDriver } from '@dmabuf-lab/lab';
import test from 'ava';

const FOLDER = fileURLToPath(new URL('../../../examples/drivers/', import.meta.url));

/** What a driver needs that has no default. */
const PARAMETERS: Readonly<Record<string, unknown>> = { 'tone.ts': { gain: 1.5 } };
/** The rules that an example breaks on purpose. */
const BROKEN: Readonly<Record<string, string>> = { 'fence-deadlock.ts': 'no-wait' };
/** Part of another driver. */
const NO_DRIVER = ['tone-curve.ts'];

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts') && !NO_DRIVER.includes(file));

for (const file of files) {
  test(`check-drivers › examples/drivers/${file} ${file in BROKEN ? 'breaks' : 'keeps'} the rules`, async (t) => {
    const { moduleUrl } = await loadDriver(`./${file}`, FOLDER);
    const source = async () => ((await import(moduleUrl('tested'))) as { default: never }).default;
    const { ok, rules, text } = await conformDriver(source, {
      parameters: PARAMETERS[file],
      ...(file in BROKEN && { runsFor: [BROKEN[file] as never] }),
    });
    if (!(file in BROKEN)) t.true(ok, text);
    else t.is(rules.find(({ verdict }) => verdict === 'fail')?.rule, BROKEN[file] as never, text);
  });
}
