/* The importer's side of the words: mapAll, unmap and unpin, as jobs and CPU leases use them. */
#undef DIE
#undef TIMEOUT
#define TIMEOUT
#if CRASHES && (VICTIMS & 3)
#define DIE         :: atomic { MAY_DIE -> d_step { deaths++; slp[me] = 0; CLEAR_LOCALS }; goto dead }
#else
#define DIE
#endif
/* Where a job ends, or dies: the supervisor's work goes on in the process of the dead. */
#if CRASHES && (VICTIMS & 3)
#define RECLAIM     reclaim()
#else
#define RECLAIM     skip
#endif
#ifdef OWNER
#define DETACH      ; if :: me == 1 -> detached = 1 :: else fi
#else
#define DETACH
#endif
#define CLEAR_LOCALS k = 0; t = 0; n = 0; x = 0; flag = 0; c[0] = 0; c[1] = 0
#define AFTERLIFE   goto over; dead: RECLAIM; over: if :: d_step { CLEAR_LOCALS DETACH } fi; finish();

#define AT(b)       (me * 2 + (b))
#define ROW(b)      (AT(b) * 2 + (GEN(c[b]) & 1))
#define NTH(k)      ((k) -> 1 - x : x)   /* the first buffer of the set, or the other */
#define OTHER       (1 - me)
#define DYNAMIC     ((DYNAMICS >> me) & 1)
#define PINNER      ((PINNERS >> me) & 1)

/* Adds to MAPPED. */
#ifdef MUT_DECREMENT
#define ADD(b)      STEP(mapped[ROW(b)]++); STEP(journal[AT(b)] = 1)
#define UNLIST(b)   STEP(journal[AT(b)] = 0)
#else
#define ADD(b)      STEP(mapped[ROW(b)]++)
#define UNLIST(b)   skip
#endif

/* The end of a count (P3) or of a pin (P8): subtract, then look at STATE. `s` ends with the first step, `e` with the last. */
#ifdef MUT_LOOK_FIRST
#define UNCOUNT(word, w, b, s, e) \
  if DIE :: d_step { t = state[b] } fi; STEP(HOLDS(6, word > 0); word--; s); STEP(if :: t != c[b] -> NOTIFY(w) :: else fi; t = 0; e)
#else
#define UNCOUNT(word, w, b, s, e) STEP(HOLDS(6, word > 0); word--; s); STEP(if :: state[b] != c[b] -> NOTIFY(w) :: else fi; e)
#endif
#define UNMAP(b, s, e) UNLIST(b); UNCOUNT(mapped[ROW(b)], W_MAPPED(ROW(b)), b, s, e)
#define UNPIN(b, s) UNCOUNT(pinned[AT(b)], W_PINNED(AT(b)), b, s, skip)
#define STOP(b)     use[AT(b)] = 0

/* What a mapping promises (I1), from here until the ghost `use` is 0 again. */
#define TOUCH(b) \
  HOLDS(1, !copying[b]); HOLDS(2, GEN(state[b]) == GEN(c[b])); HOLDS(3, PAGE(b, GEN(c[b])) == LIVE); use[AT(b)] = GEN(c[b])
#ifdef MUT_NO_RECHECK
#define SEEN        t
#define LOOK_BEFORE if DIE :: d_step { t = state[NTH(k)] } fi
#else
#define SEEN        state[NTH(k)]
#define LOOK_BEFORE skip
#endif

#ifdef MUT_ONE_BY_ONE
#define AGAIN       t = 0
#else
#define AGAIN       t = 0; k = 0
#endif

/* mapAll: the buffers NTH(0) to NTH(count - 1), as a set. */
inline mapAll(count) {
  do
  :: LOOK_BEFORE;
     ADD(NTH(k));                                                        /* P1 */
     if
     DIE
     :: d_step { SEEN == c[NTH(k)] && k + 1 == count -> TOUCH(NTH(k)); k = 0; t = 0 }; break
     :: d_step { SEEN == c[NTH(k)] && k + 1 < count -> TOUCH(NTH(k)); k++; t = 0 }
     :: d_step { SEEN != c[NTH(k)] -> t = SEEN };
        UNLIST(NTH(k));
        PUT(W_MAPPED(ROW(NTH(k))), mapped[ROW(NTH(k))]--);
#ifndef MUT_ONE_BY_ONE
        if :: k == 1 -> UNMAP(x, STOP(x), skip) :: k == 0 fi;
#endif
#if defined(LANES) && !defined(MUT_WAIT_OWING)
        if :: flag -> PUT(W_TL(me), tl[me] = 1; flag = 0); UNMAP(1 - x, STOP(1 - x), skip) :: !flag fi;  /* EDEADLK */
#endif
        if
        :: MOVING(t) -> WAIT(!MOVING(state[NTH(k)]), W_STATE(NTH(k)), AGAIN)     /* P5 */
        :: !MOVING(t) ->                                                         /* a call */
           if
           DIE
           :: d_step { !busy[NTH(k)] && state[NTH(k)] != 0 -> c[NTH(k)] = state[NTH(k)]; AGAIN }
#ifdef OWNER
           :: d_step { !busy[NTH(k)] && state[NTH(k)] == 0 -> t = 0; k = 0 }; goto over        /* ENODEV */
#endif
           fi
        fi
     fi
  od
}
