import test from 'ava';
import { fuzzMessages } from './fuzz/fuzz-messages.js';
import { fuzzWorkerMessages } from './fuzz/fuzz-worker-messages.js';

const seeds = process.env.TEST_SEED === undefined ? [1, 2] : [Number(process.env.TEST_SEED)];

for (const seed of seeds) {
  test(`6,000 random control messages of seed ${seed}: each is answered, none changes anything when refused, nothing is left`, (t) => {
    const { answers } = fuzzMessages(seed, 6_000);
    // It has teeth only where all kinds of answers come.
    for (const code of ['ok', 'waits', 'EPROTO', 'EOPNOTSUPP', 'ESTALE', 'EINVAL', 'ENODEV']) {
      t.true((answers[code] ?? 0) > 0, `${code}: ${answers[code]}`);
    }
  });
}

for (const seed of seeds) {
  test(`20,000 random messages of a worker to its runtime, of seed ${seed}: none throws, and those in order are taken`, (t) => {
    const { outcomes } = fuzzWorkerMessages(seed, 20_000);
    for (const kind of ['ready', 'serving', 'reclaimed', 'journal', 'text']) {
      for (const outcome of ['taken', 'counted'])
        t.true((outcomes[`${kind} ${outcome}`] ?? 0) > 0, `${kind} ${outcome}`);
    }
    for (const kind of ['done', 'failed']) {
      for (const outcome of ['taken', 'ended']) t.true((outcomes[`${kind} ${outcome}`] ?? 0) > 0, `${kind} ${outcome}`);
    }
  });
}
