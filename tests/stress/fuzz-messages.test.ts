import test from 'ava';
import { fuzzMessages } from './fuzz/fuzz-messages.js';

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
