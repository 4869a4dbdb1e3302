/**
 * Whole runs: programs on device nodes, and commands in processes of their own, each of which pays for loading all packages anew; all
 * examples; real pictures; the exporter that dies at each of many instants; faults on threads; wild writes; what the pages of the
 * documentation say of runs; sources that are away, and devices that do not end; each fault of `lab stress` by itself, and its live line.
 */
const RUNS = [
  'dist/scenarios/program*.test.js',
  'dist/scenarios/{*-source,*-sources,cpu-cache,examples,explain-docs,exporter-restart,faults-threads,heap-kinds,pixels,shutdown,wild-*}.test.js',
  'dist/stress/{divergence,exporter-kills,fault-sites,live-line,random-faults-threads,stress-ages}.test.js',
  'dist/unit/lab/cli/{commands,conform,explain,library,run,stress}.test.js',
];
/** Drivers of one's own, through the command line and all their checks; the checks themselves. */
const DRIVERS = ['dist/drivers/**/*.test.js', 'dist/unit/testing/**/*.test.js'];

/** What ava runs: `TEST_SUITE` says which suite, as scripts/test.mjs sets it; a plain `npx ava FILE` may name any test. */
const SUITES = {
  /** `npm test`. */
  short: ['dist/**/*.test.js', ...[...RUNS, ...DRIVERS].map((files) => `!${files}`)],
  /** `npm run test:runs`. */
  runs: RUNS,
  /** `npm run test:drivers`. */
  drivers: DRIVERS,
  all: ['dist/**/*.test.js'],
};

export default {
  files: SUITES[process.env.TEST_SUITE ?? 'all'],
  timeout: '4m',
  workerThreads: false,
  concurrency: 2,
};
