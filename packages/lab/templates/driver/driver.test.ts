import driver from 'DRIVER_MODULE';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { conformDriver } from '@dmabuf-lab/core/testing';
import { runScenario } from '@dmabuf-lab/lab';

const SCENARIO = fileURLToPath(new URL('DRIVER_SCENARIO', import.meta.url));
const device = 'DRIVER_NAME';
const runIt = () => runScenario(SCENARIO, { runtime: 'virtual' });

test('DRIVER_NAME keeps the rules that every driver keeps', async () => {
  const result = await conformDriver(driver);
  assert.ok(result.ok, result.text);
});

test('DRIVER_NAME does its work in the scenario, and leaves nothing behind', async () => {
  const { result } = await runIt();
  const { DRIVER_WORK } = result.devices[device];
  assert.ok(DRIVER_WORK > 20, `only ${DRIVER_WORK} frames`);
  assert.ok(result.ledger.empty, JSON.stringify(result.ledger));
});

test('DRIVER_NAME gives the same result each time in virtual time', async () => {
  const [first, second] = [await runIt(), await runIt()];
  assert.equal(first.result.fingerprint, second.result.fingerprint);
});
