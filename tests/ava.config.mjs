/** What ava runs: `TEST_SUITE` says which suite, as scripts/test.mjs sets it; a plain `npx ava FILE` may name any test. */
const SUITES = {
  /** `npm test`. */
  short: ['dist/**/*.test.js', '!dist/drivers/**'],
  /** `npm run test:drivers`: drivers of one's own, through the command line and all their checks. */
  drivers: ['dist/drivers/**/*.test.js'],
  all: ['dist/**/*.test.js'],
};

export default {
  files: SUITES[process.env.TEST_SUITE ?? 'all'],
  timeout: '4m',
  workerThreads: false,
  concurrency: 2,
};
