/* The mover of a buffer, and the exporter that is started again after its death. */
#undef DIE
#undef TIMEOUT
#if CRASHES && (VICTIMS & 12)
#define DIE         :: atomic { MAY_DIE -> d_step { deaths++; slp[me] = 0; i = 0; locked = 0; busy[b] = 1 }; goto dead }
#else
#define DIE
#endif
#ifdef TIMEOUTS
#define TIMEOUT     :: d_step { !AWAKE -> slp[me] = 0 }; goto abort
#else
#define TIMEOUT
#endif
#define b           (me - 2)
#define LOOK        (i < 4 -> mapped[((i / 2) * 2 + b) * 2 + (i & 1)] : pinned[(i - 4) * 2 + b])
#define W_LOOK      (i < 4 -> W_MAPPED(((i / 2) * 2 + b) * 2 + (i & 1)) : W_PINNED((i - 4) * 2 + b))
/* Frees the pages of a generation. */
#define FREE_PAGES(g) HOLDS(5, !(g) || (use[b] != (g) && use[2 + b] != (g))); PAGE(b, g) = FREE
#define PINS        (pinned[b] + pinned[2 + b])

/* MAPPED of all, both parities, then PINNED of all; after each wait from the start. */
inline drain(from, to) {
  i = from;
  do
  DIE
  :: d_step { i < to - 1 && AWAKE && LOOK == 0 -> i++ }
  :: d_step { i == to - 1 && AWAKE && LOOK == 0 -> i = 0 }; break
#ifdef STAY
  :: d_step { i < 4 && AWAKE && LOOK != 0 -> slp[me] = W_LOOK; i = from }
  :: i >= 4 && AWAKE && LOOK != 0 -> goto abort               /* EBUSY: nobody will end it */
#else
  :: d_step { AWAKE && LOOK != 0 -> slp[me] = W_LOOK; i = from }
#endif
  TIMEOUT
  od
}

proctype Mover(byte me) {
  byte n, i;
  bit locked;
again:
  do
  DIE
#ifdef OWNER
  :: n == MOVES || state[b] == 0 -> break
#else
  :: n == MOVES -> break
#endif
  :: d_step { n < MOVES && state[b] != 0 -> busy[b] = 1; PAGE(b, GEN(state[b]) + 1) = TARGET };
#ifdef MUT_LOCK_FIRST
     WAIT(lock[b] == 0, W_LOCK(b), lock[b] = me + 1; locked = 1);
#endif
     STEP(state[b] = state[b] + 1);                                      /* P2 */
#ifdef MUT_PINS_FIRST
     drain(4, 6);
     drain(0, 4);
#elif defined(MUT_NO_DRAIN)
     skip;
#else
     drain(0, 6);
#endif
#ifndef MUT_LOCK_FIRST
     WAIT(lock[b] == 0, W_LOCK(b), lock[b] = me + 1; locked = 1);
#endif
#ifndef MUT_PINS_FIRST
     if DIE :: PINS != 0 -> goto abort :: PINS == 0 fi;
#endif
#ifndef MUT_NO_FENCES
     do
     DIE
     :: d_step { i == 0 && AWAKE && SIGNALLED(i, b) -> i = 1 }
     :: d_step { i == 1 && AWAKE && SIGNALLED(i, b) -> i = 0 }; break
     :: d_step { AWAKE && !SIGNALLED(i, b) -> slp[me] = W_TL(i) }
     TIMEOUT
     od;
#endif
#ifdef MUT_CLEAR_FIRST
     PUT(W_STATE(b), state[b] = state[b] - 1);
#endif
     STEP(HOLDS(4, !USED(b)); copying[b] = 1);
     STEP(HOLDS(4, !USED(b)); copying[b] = 0; PAGE(b, GEN(state[b]) + 1) = LIVE);
#ifdef MUT_CLEAR_FIRST
     PUT(W_STATE(b), state[b] = state[b] + 2);
#else
     PUT(W_STATE(b), state[b] = state[b] + 1);                           /* I3, P4 */
#endif
     PUT(W_LOCK(b), lock[b] = 0; locked = 0);
     STEP(FREE_PAGES(GEN(state[b]) - 1); busy[b] = 0; n++);
     goto next;
abort:
     i = 0;
     PUT(W_STATE(b), state[b] = state[b] - 1);
     if :: locked -> PUT(W_LOCK(b), lock[b] = 0; locked = 0) :: !locked fi;
     STEP(FREE_PAGES(GEN(state[b]) + 1); busy[b] = 0; n++);
next: skip
  od;
  goto over;
dead:
#if VICTIMS & 12
  /* Started again. The exporter's state is rebuilt from the words; each step may be repeated. */
  STEP(copying[b] = 0);                                                  /* its copies have drained */
  if
  DIE
  :: MOVING(state[b]) -> PUT(W_STATE(b), state[b] = state[b] - 1)        /* the generation is old: roll back */
#ifdef MUT_QUIET_RESTART
  :: !MOVING(state[b])
#else
  :: d_step { !MOVING(state[b]) -> NOTIFY(W_STATE(b)) }                  /* settled, but perhaps nobody was told */
#endif
  fi;
#ifdef MUT_ALWAYS_BACK
  STEP(FREE_PAGES(2));
#else
  STEP(FREE_PAGES(GEN(state[b]) + 1));                                   /* the target of a move that was not published */
  STEP(FREE_PAGES(GEN(state[b]) - 1));                                   /* or the old pages of one that was */
#endif
  PUT(W_LOCK(b), lock[b] = (lock[b] == me + 1 -> 0 : lock[b]));
  STEP(busy[b] = 0; n = (n < GEN(state[b]) - 1 -> GEN(state[b]) - 1 : n));
  goto again;
#else
  skip;
#endif
over:
  finish();
end_mover: false
}
#undef b
