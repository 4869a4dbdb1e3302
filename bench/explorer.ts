/** How many schedules a second the explorer of tests/race runs, on one core: production code of three actors. */
const BOARDS = '../../tests/dist/race/';

/** Depth first with three preemptions, then random, for a while each; seconds are those of the processor. */
export async function explorerSchedules(): Promise<void> {
  const load = (path: string) => import(new URL(`${BOARDS}${path}`, import.meta.url).href);
  const { PROTOCOLS } = (await load('boards/protocols.js')) as typeof import('../tests/race/boards/protocols.js');
  const { DepthFirst, RandomSwitches, explore } = (await load(
    'explorer/index.js',
  )) as typeof import('../tests/race/explorer/index.js');
  const rows = PROTOCOLS.map(({ name, board: make }) => {
    const board = make();
    const rate = (strategy: Parameters<typeof explore>[1], forMs: number): number => {
      const startMs = performance.now();
      const before = process.cpuUsage();
      const mayGoOn = (): boolean => performance.now() - startMs < forMs;
      const { schedules, failure } = explore(board, strategy, { schedules: 1_000_000, mayGoOn });
      if (failure !== undefined) throw new Error(`${name}: ${failure.message}`);
      const { user, system } = process.cpuUsage(before);
      return schedules / ((user + system) / 1e6);
    };
    const random = () => rate(new RandomSwitches({ firstSeed: 1 }), 500);
    const depthFirst = () => rate(new DepthFirst(board.words, { preemptions: 3 }), 1_000);
    depthFirst(); // warms up
    return { protocol: name, 'depth first': Math.round(depthFirst()), random: Math.round(random()) };
  });
  console.log('explorer of tests/race, schedules a second of processor time:');
  console.table(rows);
}
