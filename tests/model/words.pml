/* The shared words, the waits on them, death, and what holds at the end. */
#define GEN(s)      ((s) >> 1)
#define MOVING(s)   ((s) & 1)
#define FAILED      255                  /* of a timeline: every point on it has ended */
#define FREE        0                    /* owners of pages: nobody, a move that has set them aside, a generation */
#define TARGET      1
#define LIVE        2

/* ---- words of control memory ---- */
byte state[2];                           /* STATE of a buffer: generation << 1 | MOVING */
byte mapped[8];                          /* MAPPED_0 and MAPPED_1: index (job * 2 + buffer) * 2 + parity */
byte pinned[4];                          /* PINNED: index job * 2 + buffer */
byte lock[2];                            /* LOCK: owner + 1, or 0 */
byte pub[4];                             /* the reservation's slot of a job: the seqno that it published, or 0 */
byte tl[2];                              /* a job's timeline: the seqno signalled, or FAILED */
byte page[8];                            /* page owners: index buffer * 4 + generation */
/* ---- ghosts ---- */
byte young;                              /* of the two jobs, the one that drew its ticket last */
bit  busy[2];                            /* the exporter is occupied with this buffer: calls for it queue */
byte use[4];                             /* the generation whose pages a device may touch now, or 0 */
bit  copying[2];
byte deaths, ended;
#ifdef MUT_DECREMENT
bit  journal[4];                         /* what the supervisor believes to be mapped */
#endif

/* An assertion with a number, by which the report of a violation tells it from others. */
#define HOLDS(number, what) assert((what) && number)

#ifdef OWNER
bit  detached;                           /* job 1 has let go of its buffers */
#define DISOWNED    (deaths > 0 && state[0] == 0)
#else
#define DISOWNED    false
#endif

#define PAGE(b, g)  page[(b) * 4 + (g)]
#define SIGNALLED(j, b) (pub[(j) * 2 + (b)] <= tl[j])
#define USED(b)     (use[b] || use[2 + (b)])

/* ---- waits: a look at a word and the sleep on the value seen are one step; notify wakes all who sleep on the word ---- */
#define W_STATE(b)  (1 + (b))
#define W_LOCK(b)   (3 + (b))
#define W_TL(j)     (5 + (j))
#define W_MAPPED(i) (7 + (i))
#define W_PINNED(i) (15 + (i))
byte slp[4];                             /* the word that an actor sleeps on, or 0: jobs are 0 and 1, movers 2 and 3 */
#define AWAKE       (slp[me] == 0)
#define WAKE_ONE(a, w) slp[a] = (slp[a] == (w) -> 0 : slp[a])
#define NOTIFY(w)   WAKE_ONE(0, w); WAKE_ONE(1, w); WAKE_ONE(2, w); WAKE_ONE(3, w)

/* One access to shared words. DIE is an alternative of each: it leads to `dead`. */
#define STEP(s)     if DIE :: d_step { s } fi
/* Changes a word on which somebody may sleep. Only whoever may die in between needs two steps for it. */
#ifdef MUT_NOTIFY_FIRST
#define PUT(w, s)   STEP(NOTIFY(w)); STEP(s)
#elif CRASHES
#define PUT(w, s)   if DIE :: d_step { !MORTAL -> s; NOTIFY(w) } :: d_step { MORTAL -> s }; STEP(NOTIFY(w)) fi
#else
#define PUT(w, s)   if :: d_step { s; NOTIFY(w) } fi
#endif
/* Waits until `ok`, then does `s` in the same step. */
#define WAIT(ok, w, s) do DIE :: d_step { AWAKE && (ok) -> s }; break :: d_step { AWAKE && !(ok) -> slp[me] = w } TIMEOUT od
#define MORTAL      ((VICTIMS >> me) & 1)
#define MAY_DIE     (MORTAL && deaths < CRASHES)

/* Whoever ends last looks at what is left. */
inline finish() {
  if
  :: d_step {
    ended++;
    if
    :: ended == 2 + MOVERS ->
       HOLDS(11, mapped[0] + mapped[1] + mapped[2] + mapped[3] + mapped[4] + mapped[5] + mapped[6] + mapped[7] == 0);
       HOLDS(12, pinned[0] + pinned[1] + pinned[2] + pinned[3] == 0);
       HOLDS(13, lock[0] == 0 && lock[1] == 0);
       HOLDS(14, SIGNALLED(0, 0) && SIGNALLED(0, 1) && SIGNALLED(1, 0) && SIGNALLED(1, 1));
       HOLDS(15, !USED(0) && !USED(1) && !copying[0] && !copying[1] && !busy[0] && !busy[1]);
       HOLDS(16, DISOWNED || (!MOVING(state[0]) && PAGE(0, GEN(state[0])) == LIVE));
       HOLDS(16, !MOVING(state[1]) && PAGE(1, GEN(state[1])) == LIVE);
       HOLDS(17, page[0] + page[1] + page[2] + page[3] == (DISOWNED -> FREE : LIVE) && page[4] + page[5] + page[6] + page[7] == LIVE)
    :: else
    fi
  }
  fi
}
