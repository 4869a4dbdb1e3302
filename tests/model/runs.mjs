/**
 * What is checked of the model: configurations that have to be in order, and mutants that have to fail.
 *
 * `defines` switch the model (its header tells what each switch does). `extent` is where a run belongs: `short` runs in
 * `npm test` too, `standard` in `npm run test:model`, `deep` with `--deep` only.
 */

/** @typedef {'short' | 'standard' | 'deep'} Extent */

/** Every run of the model ends well: complete search, no error. `ends`: searched for endless runs instead. */
export const CONFIGURATIONS = [
  { name: 'a job may die', defines: ['CRASHES=1'], extent: 'short' },
  { name: 'nobody dies', defines: [], extent: 'standard' },
  { name: 'nobody dies: every run ends', defines: [], ends: true, extent: 'standard' },
  { name: 'a mover may die twice, one moves', defines: ['CRASHES=2', 'VICTIMS=4', 'MOVERS=1'], extent: 'standard' },
  {
    name: 'a mover may die, one moves twice, pins',
    defines: [...pins(), 'CRASHES=1', 'VICTIMS=4', 'MOVERS=1', 'MOVES=2'],
    extent: 'standard',
  },
  { name: 'dynamic importers, one may die', defines: ['DYNAMICS=3', 'CRASHES=1'], extent: 'standard' },
  { name: 'readers, a job may die', defines: ['WRITERS=0', 'CRASHES=1'], extent: 'standard' },
  {
    name: 'two moves, two rounds, a job may die',
    defines: ['MOVES=2', 'MOVERS=1', 'ROUNDS=2', 'CRASHES=1'],
    extent: 'standard',
  },
  { name: 'the owner of a buffer may die, one moves', defines: ['OWNER', 'MOVERS=1', 'CRASHES=1'], extent: 'standard' },
  {
    name: 'pin of a job, the pinner may die, one moves',
    defines: [...pins(), 'MOVERS=1', 'CRASHES=1'],
    extent: 'standard',
  },
  { name: 'time-outs, a job may die, one moves', defines: ['TIMEOUTS', 'MOVERS=1', 'CRASHES=1'], extent: 'standard' },
  {
    name: 'pin of a stay, the pinner may die, one moves',
    defines: [...pins(), 'STAY', 'MOVERS=1', 'CRASHES=1'],
    extent: 'standard',
  },
  {
    name: 'a job and its reclaimer may die, one moves',
    defines: ['MOVERS=1', 'CRASHES=1', 'REPEATS=1'],
    extent: 'standard',
  },
  { name: 'CPU leases, the job may die', defines: ['LEASES', 'CRASHES=1'], extent: 'standard' },
  { name: 'CPU leases, their user may die', defines: ['LEASES', 'CRASHES=1', 'VICTIMS=2'], extent: 'standard' },
  { name: 'lanes that owe a fence, one may die', defines: ['LANES', 'CRASHES=1'], extent: 'standard' },

  { name: 'a job may die: every run ends', defines: ['CRASHES=1'], ends: true, extent: 'deep' },
  { name: 'a mover may die: every run ends', defines: ['CRASHES=1', 'VICTIMS=4'], ends: true, extent: 'deep' },
  { name: 'a mover may die', defines: ['CRASHES=1', 'VICTIMS=4'], extent: 'deep' },
  { name: 'pin of a job, the pinner may die', defines: [...pins(), 'CRASHES=1'], extent: 'deep' },
  { name: 'the owner of a buffer may die', defines: ['OWNER', 'CRASHES=1'], extent: 'deep' },
  { name: 'both jobs may die', defines: ['CRASHES=2', 'VICTIMS=3'], extent: 'deep' },
  { name: 'both movers may die', defines: ['CRASHES=2', 'VICTIMS=12'], extent: 'deep' },
  { name: 'a job and a mover may die', defines: ['CRASHES=2', 'VICTIMS=5'], extent: 'deep' },
  { name: 'time-outs, a job may die', defines: ['TIMEOUTS', 'CRASHES=1'], extent: 'deep' },
  { name: 'pin of a stay, the pinner may die', defines: [...pins(), 'STAY', 'CRASHES=1'], extent: 'deep' },
  { name: 'a job and its reclaimer may die', defines: ['CRASHES=1', 'REPEATS=1'], extent: 'deep' },
  {
    name: 'readers, two rounds, the owner may die',
    defines: ['OWNER', 'WRITERS=0', 'ROUNDS=2', 'CRASHES=1'],
    extent: 'deep',
  },
  { name: 'both pin, one may die', defines: ['DYNAMICS=3', 'PINNERS=3', 'CRASHES=1'], extent: 'deep' },
];

function pins() {
  return ['DYNAMICS=1', 'PINNERS=1'];
}

/**
 * One deliberate mistake each. `finds` is how it must show: `hang`, somebody waits for ever; `pages`, pages are touched or
 * copied when they must not be; `left`, something is left at the end.
 */
export const MUTANTS = [
  { name: 'NO_RECHECK', what: 'looks at STATE before it adds to MAPPED', defines: [], finds: 'pages', extent: 'short' },
  { name: 'NOTIFY_FIRST', what: 'notifies before it stores', defines: [], finds: 'hang', extent: 'standard' },
  {
    name: 'DECREMENT',
    what: 'subtracts for the dead what a journal says',
    defines: ['CRASHES=1'],
    finds: 'left',
    extent: 'short',
  },
  {
    name: 'NOTIFY_IF_HELD',
    what: 'reclaims silently where the count is 0 already',
    defines: ['CRASHES=1'],
    finds: 'hang',
    extent: 'short',
  },
  { name: 'LOCK_FIRST', what: 'locks, then drains', defines: [], finds: 'hang', extent: 'standard' },
  {
    name: 'ONE_BY_ONE',
    what: 'waits for a move with a mapping in hand',
    defines: [],
    finds: 'hang',
    extent: 'standard',
  },
  { name: 'CLEAR_FIRST', what: 'clears MOVING before the copy', defines: [], finds: 'pages', extent: 'standard' },
  {
    name: 'NOTIFY_OWN_LOCKS',
    what: 'tells of the locks that the dead still held, and of no other',
    defines: ['CRASHES=1'],
    finds: 'hang',
    extent: 'standard',
  },
  {
    name: 'PIN_LATE',
    what: 'pins when the mapping counts no more (I5)',
    defines: [...pins(), 'WRITERS=0'],
    finds: 'pages',
    extent: 'standard',
  },
  {
    name: 'PINS_FIRST',
    what: 'looks at pins before mappings, and not again',
    defines: pins(),
    finds: 'pages',
    extent: 'standard',
  },
  { name: 'LOOK_FIRST', what: 'unmaps after its look at STATE', defines: [], finds: 'hang', extent: 'standard' },
  { name: 'NO_BACK_OFF', what: 'waits for an older holder of a lock', defines: [], finds: 'hang', extent: 'standard' },
  {
    name: 'LEAVE_EARLY',
    what: 'gives its count back before its fence is published',
    defines: ['DYNAMICS=3', 'WRITERS=0'],
    finds: 'pages',
    extent: 'standard',
  },
  { name: 'NO_DRAIN', what: 'does not wait for mappings', defines: [], finds: 'pages', extent: 'standard' },
  { name: 'NO_FENCES', what: 'does not wait for fences', defines: ['DYNAMICS=3'], finds: 'pages', extent: 'standard' },
  {
    name: 'KEEP_LOCKS',
    what: 'leaves the locks of the dead',
    defines: ['CRASHES=1'],
    finds: 'left',
    extent: 'standard',
  },
  {
    name: 'FAIL_QUIETLY',
    what: 'fails the timeline of the dead and tells nobody',
    defines: ['CRASHES=1'],
    finds: 'hang',
    extent: 'standard',
  },
  {
    name: 'FREE_EARLY',
    what: 'frees the buffers of the dead under those who have them mapped',
    defines: ['OWNER', 'CRASHES=1'],
    finds: 'pages',
    extent: 'standard',
  },
  {
    name: 'WAIT_OWING',
    what: 'waits for a move while it owes a fence',
    defines: ['LANES'],
    finds: 'hang',
    extent: 'standard',
  },
  {
    name: 'QUIET_RESTART',
    what: 'is started again, finds nothing moving and tells nobody',
    defines: ['CRASHES=1', 'VICTIMS=4', 'MOVERS=1'],
    finds: 'hang',
    extent: 'standard',
  },
  {
    name: 'ALWAYS_BACK',
    what: 'is started again and frees the target, whichever generation is published',
    defines: ['CRASHES=1', 'VICTIMS=4', 'MOVERS=1'],
    finds: 'pages',
    extent: 'standard',
  },
];
