/** The rules that a driver has to keep: what is checked of each, and what to do about a breach. */

export interface Rule {
  /** What a good driver does, one clause. */
  readonly checks: string;
  /** What to change. */
  readonly remedy: string;
}

/** In the order in which they are reported. */
export const RULES = {
  parameters: {
    checks: 'the schema gives each parameter a default or names what it needs, and refuses names it does not know',
    remedy: 'give each parameter .default(…), and declare them with z.strictObject',
  },
  plan: {
    checks: 'plan answers the same to the same question, changes nothing it is given, and refuses in whole sentences',
    remedy: 'compute the answer from the arguments alone; put what is wrong into `problems`, and do not throw',
  },
  run: {
    checks: 'a plain stream of frames passes without an error',
    remedy: 'see what was thrown, and where',
  },
  'ports-only': {
    checks: 'time, waiting and chance come from ctx alone: no Date, Math.random, timers, performance, Atomics',
    remedy: 'use ctx.now(), ctx.random(name), yield* ctx.sleepUntil(…), or yield* ctx.external(promise)',
  },
  turn: {
    checks: 'ctx and its ports are used by the driver’s generators only, while they are being stepped',
    remedy: 'wait for a promise by `yield* ctx.external(promise)`, and go on in the generator',
  },
  'yield-star': {
    checks: 'a call that waits is made with yield*',
    remedy: 'write yield* before it: without it nothing of the call is done',
  },
  frames: {
    checks: 'each frame taken is released, dropped or handed over, each one acquired is pushed or cancelled, once',
    remedy: 'give each frame back on every path, e.g. by declaring it with `using`, and do not touch it afterwards',
  },
  jobs: {
    checks: 'each job that is begun is ended, on every path',
    remedy:
      'call job.end() when the work is done; `using` alone counts the job as given up, for the paths that leave early',
  },
  memory: {
    checks: 'the pages of a job are touched between its begin and its end only',
    remedy: 'take job.segments(frame) anew in each job and keep nothing of it; copy what is needed longer',
  },
  'read-only': {
    checks: 'a frame that a job only reads is not written to',
    remedy: 'begin the job with { frame, write: true }, or write into a frame of your own',
  },
  seal: {
    checks: 'each frame that is written is sealed after the last write and before its job ends',
    remedy: 'call ctx.seal(job, frame) when the content is complete',
  },
  fences: {
    checks: 'a frame that leaves while a job is at work on it carries the fence of that job',
    remedy: 'end the job first, or call frame.readyAfter(job) before push, or release(frame, job)',
  },
  'pending-read': {
    checks: 'what a frame carries (checksum, error, pages) is looked at once its fence has been waited for',
    remedy: 'begin a job on the frame first: begin waits for its fences',
  },
  'no-wait': {
    checks: 'a generator that owes a fence waits for nobody whom the fence might hold up',
    remedy: 'take, acquire and wait for room() before begin; then work, end the job, and push',
  },
  errors: {
    checks: 'what was made of bad content does not leave as good',
    remedy: 'heed what ctx.verify returns: do not push, or end the job with an error before, or set target.error',
  },
  'end-of-stream': {
    checks: 'run returns when its inputs have ended, or, for a source, when tick says so, and not before',
    remedy: 'leave the loop when take() gives undefined or tick() gives false, and on nothing else',
  },
  stop: {
    checks: 'a device that is asked to leave does so soon, whatever it waits for just then',
    remedy: 'wait for the next tick by ctx.tick and heed its answer; do not sleep long',
  },
  enomem: {
    checks: 'a frame whose memory is not to be had costs that frame and nothing else',
    remedy: 'use ctx.tryBegin, and when it gives undefined, give up the frame and go on',
  },
  'slow-consumer': {
    checks: 'a consumer that is slow or drops frames holds the driver up and breaks nothing',
    remedy: 'wait by acquire and push, and expect acquireForTick to give undefined',
  },
  'late-attach': {
    checks: 'the driver may begin late, and a second time after it has left',
    remedy: 'begin from ctx.now() and from the first frame that comes; keep what belongs to a stay inside run',
  },
  'first-tick': {
    checks:
      'a device that begins late waits for no tick of the past, and a source describes no frame as captured before',
    remedy:
      'begin with firstTickAt(ctx.now(), rate) of @dmabuf-lab/core/base, not with tick 0, and number frames from there',
  },
  moves: {
    checks: 'buffers can move between two jobs while the driver runs',
    remedy: 'end each job when its work is done; do not keep jobs open from one frame to the next but one',
  },
  formats: {
    checks: 'what plan accepts, the driver can do: other sizes and formats pass like the first',
    remedy: 'compute with frame.format, stride and size included; refuse in plan what the driver cannot do',
  },
  'optional-ports': {
    checks: 'the driver works while an optional port is linked to nothing',
    remedy: 'expect ctx.ports.NAME to be undefined where it is declared optional',
  },
  restart: {
    checks: 'killed at any instant and started again, the driver goes on',
    remedy: 'begin each life from nothing: no state outside run and setup, no assumption on time and sequence numbers',
  },
  determinism: {
    checks: 'with the same seed a run is the same, to the fingerprint',
    remedy: 'keep no state outside run, and take chance and time from ctx',
  },
  instances: {
    checks: 'two devices of the driver side by side do what each does alone',
    remedy: 'keep state in run or setup, not in the module',
  },
  ledger: {
    checks: 'nothing is left when all have ended: buffers, mappings, fences, pages',
    remedy: 'see what is left, and who had it',
  },
} as const satisfies Record<string, Rule>;

/** In place of the remedy of a rule that is broken by a step which never ends. */
export const ENDLESS_REMEDY = 'see the loop after that call: it has to end, or to wait in each turn by yield*';

export type RuleName = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as RuleName[];
