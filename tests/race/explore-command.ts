/**
 * `npm run explore`: every protocol, its bounds, how many schedules, which mutants are caught; then how many steps, and in how
 * many schedules each rare path was taken. Longer than in the tests.
 *
 *   npm run -s explore                          all protocols, some two minutes
 *   npm run -s explore -- --seconds 600         so long for production; mutants end when they are caught
 *   npm run -s explore -- --protocol ring       those whose name contains the word
 *   npm run -s explore -- --protocol 'ring: block' --replay ab9!b [--mutant 'is reclaimed without a wake-up']
 *
 * `TEST_SEED=n` draws other random schedules. The exit code is 0 only if production holds, every mutant is caught, every
 * rare path was taken and every search that is said to be complete is; for a replay, if the schedule does not fail. Complete
 * searches are never cut short: the rest of a protocol's time is for the others.
 */
import { parseArgs } from 'node:util';
import type { Protocol } from './boards/protocol.js';
import { PROTOCOLS } from './boards/protocols.js';
import { firstSeed, type ProtocolResult, searchProtocol, takenIn, triedOf } from './boards/search.js';
import { describeFailure, replay } from './explorer/index.js';

/** How many times the schedules of a test a search may take, if there is time. */
const TIMES = 25;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '90' },
    protocol: { type: 'string', default: '' },
    replay: { type: 'string' },
    mutant: { type: 'string' },
  },
});
const chosen = PROTOCOLS.filter(({ name }) => name.includes(values.protocol));

function main(): number {
  const seconds = Number(values.seconds);
  if (!(seconds > 0) || chosen.length === 0) {
    const names = PROTOCOLS.map(({ name }) => `  ${name}`).join('\n');
    console.error(`Cannot explore: it takes --seconds above 0 and a --protocol among\n${names}`);
    return 2;
  }
  if (values.replay !== undefined) return replayOne(values.replay);
  console.log(`seed ${firstSeed}, ${seconds} s for the production code\n`);
  console.log('| protocol | bound: schedules | schedules/s of one core | mutants caught |');
  console.log('|---|---|---|---|');
  const explored = chosen.map((protocol) => exploreOne(protocol, (seconds * 1000) / chosen.length));
  console.log('\n| protocol | steps | rare paths (schedules that took them) |');
  console.log('|---|---|---|');
  for (const { coverage } of explored) console.log(coverage);
  const problems = explored.flatMap((one) => one.problems);
  for (const problem of problems) console.log(`\n${problem}`);
  return problems.length === 0 ? 0 : 1;
}

function replayOne(schedule: string): number {
  if (chosen.length !== 1) {
    console.error(`Cannot replay ${schedule}: --protocol names ${chosen.length} protocols, not one`);
    return 2;
  }
  const failure = replay(chosen[0].board(values.mutant), schedule);
  console.log(failure === undefined ? 'nothing fails' : `${failure.kind}: ${failure.message}`);
  return failure === undefined ? 0 : 1;
}

/** Prints the row of a protocol. @returns its row of the second table, and what is wrong */
function exploreOne(protocol: Protocol, budgetMs: number): { coverage: string; problems: string[] } {
  const perSearchMs = budgetMs / protocol.searches.length;
  const limit = () => {
    const endMs = performance.now() + perSearchMs;
    return () => performance.now() < endMs;
  };
  const before = process.cpuUsage();
  const result = searchProtocol(protocol, undefined, { times: TIMES, limit });
  const { user, system } = process.cpuUsage(before);
  const rate = result.schedules / ((user + system) / 1e6);
  const problems = problemsOf(protocol, result);
  let caught = 0;
  for (const mutant of protocol.mutants) {
    if (searchProtocol(protocol, mutant).failure !== undefined) caught += 1;
    else problems.push(`${protocol.name}: the mutant that ${mutant} is not caught`);
  }
  const bounds = result.results.map(triedOf);
  const mutants = `${caught} of ${protocol.mutants.length}`;
  console.log(`| ${protocol.name} | ${bounds.join('; ')} | ${Math.round(rate).toLocaleString('en')} | ${mutants} |`);
  return {
    coverage: `| ${protocol.name} | ${result.steps.toLocaleString('en')} | ${takenIn(result.taken)} |`,
    problems,
  };
}

function problemsOf({ name }: Protocol, { failure, neverTaken, unfinished }: ProtocolResult): string[] {
  const problems = neverTaken.map((path) => `${name}: this path was never taken: ${path}`);
  for (const tried of unfinished) problems.push(`${name}: this search is said to be complete and is not: ${tried}`);
  if (failure !== undefined) problems.push(`${name}: ${describeFailure(failure)}`);
  return problems;
}

process.exitCode = main();
