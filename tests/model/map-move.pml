/*
 * map, unmap, move, death and reclaim over shared words: the protocol of core/dma-buf/buffer-words.ts, core/migration/move.ts,
 * core/sync/resv-words.ts and timeline-words.ts, as it is built. `npm run test:model` checks it (scripts/check-model.mjs).
 *
 * Actors    jobs 0 and 1 on buffers 0 and 1, in opposite order: wait for fences, mapAll, pin, lock both by wait-die, look for
 *           conflicts, publish on both, unlock, signal, unmap. Mover of each buffer: set the target aside, MOVING, drain, lock,
 *           pins again, fences, copy, publish the generation, unlock, free.
 * Steps     Each access to a shared word is one step; the words are sequentially consistent, as Atomics are. So are:
 *           - a look at a word and the sleep on the value seen. Atomics.wait looks again; if the word has changed meanwhile,
 *             the actor looks anew, which it may as well do later.
 *           - a store and its notify, by actors that do not die in this configuration. Who sleeps on the word does nothing
 *             between the two, and may be slow after it was woken.
 *           - locals and ghosts together with the access they go with.
 * Death     at any step, between a store and its notify too. Locals are forgotten. What is done after a death, goes on in the
 *           process of the dead: reclaim() for a job; for a mover, the start of the exporter's next life.
 * Symmetry  Exchanging both jobs and both buffers changes nothing: whichever job dies, job 0 stands for it. Ages in wait-die
 *           are by ticket between the jobs; towards a mover, which takes one lock only, a job tries either answer.
 * Simple    A timeline is one word, and what publishes on a reservation one step (their own headers argue them). The try at
 *           all locks without waiting is left out. A call of the slow path waits until the exporter is not occupied with the
 *           buffer, and learns STATE.
 *
 * Checked   1-3 whoever is mapped: no copy runs, the generation is the one mapped, its pages are owned  4 a copy finds the
 *           buffer unused  5 so does the freeing of a generation  6 no count is subtracted from at 0
 *           11-17 at the end: every MAPPED and PINNED 0, locks free, fences ended, nothing in use, MOVING clear, and exactly
 *           one live generation of each buffer. No deadlock and no lost wake-up: all get to their end.
 *
 * Switches  CRASHES   deaths in a run              VICTIMS  who may die, as bits: 1, 2 the jobs; 4, 8 the movers
 *           REPEATS   the reclaimer of a job may die as often, and its successor starts over
 *           MOVES     of each buffer               MOVERS   1: buffer 1 is never moved
 *           ROUNDS    jobs of each lane            WRITERS  0: jobs read, so they do not conflict
 *           DYNAMICS  dynamic importers, as bits: they give their counts back once they have published
 *           PINNERS   of them, those that pin, as bits    STAY  their pins end a move at once (EBUSY)
 *           TIMEOUTS  each wait of a mover may time out: it gives the move up
 *           LEASES    a user on the CPU in place of job 1: a mapping of one buffer, then of the other, no fence
 *           OWNER     job 0 has exported buffer 0: after its death new maps are refused, present ones go on, the last
 *                     detach frees the pages
 *           LANES     in place of jobs, lanes that map the second buffer while they owe a fence on the first (EDEADLK)
 *           MUT_...   one deliberate mistake each: tests/model/runs.mjs
 *
 * Not here  late attach, detach during a move, first placement, NOTIFIED, held mappings, rings, the error that a failed fence carries;
 *           the death of the exporter with both its movers in one instant (each mover may die, by itself or one after the other).
 *           More than two jobs, buffers, moves: what is exhaustive here is small.
 */
#ifndef MOVES
#define MOVES 1
#endif
#ifndef MOVERS
#define MOVERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef VICTIMS
#define VICTIMS 1
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef DYNAMICS
#define DYNAMICS 0
#endif
#ifndef PINNERS
#define PINNERS 0
#endif
#include "words.pml"
#include "reclaim.pml"
#include "importer.pml"
#ifndef LANES
#include "job.pml"
#endif
#include "others.pml"
#include "mover.pml"

init {
  atomic {
    state[0] = 2; state[1] = 2; PAGE(0, 1) = LIVE; PAGE(1, 1) = LIVE;
#if defined(LANES)
    run Lane(0); run Lane(1);
#elif defined(LEASES)
    run Job(0); run Lease(1);
#else
    run Job(0); run Job(1);
#endif
    run Mover(2);
    if :: MOVERS == 2 -> run Mover(3) :: else fi
  };
end_init: false
}
