/** Programs on device nodes, and commands in processes of their own: each pays for loading all packages anew. */
const COMMANDS = [
  'dist/scenarios/program*.test.js',
  'dist/unit/lab/cli/{commands,conform,explain,library,run,stress}.test.js',
];
const DRIVERS = ['dist/drivers/**/*.test.js'];

/** What ava runs: `TEST_SUITE` says which suite, as scripts/test.mjs sets it; a plain `npx ava FILE` may name any test. */
const SUITES = {
  /** `npm test`. */
  short: ['dist/**/*.test.js', ...[...COMMANDS, ...DRIVERS].map((files) => `!${files}`)],
  /** `npm run test:commands`. */
  commands: COMMANDS,
  /** `npm run test:drivers`: drivers of one's own, through the command line and all their checks. */
  drivers: DRIVERS,
  all: ['dist/**/*.test.js'],
};

export default {
  files: SUITES[process.env.TEST_SUITE ?? 'all'],
  timeout: '4m',
  workerThreads: false,
  concurrency: 2,
};
