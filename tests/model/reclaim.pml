/* What the supervisor does once a job's worker has exited; it goes on in the process of the dead. */
#undef DIE
/* A store and its notify are one step: who reclaims after a reclaimer's death does all of it again. */
#ifdef REPEATS
#define OWN(s)      if :: atomic { deaths < CRASHES + REPEATS -> deaths++; goto dead } :: d_step { s } fi
#else
#define OWN(s)      if :: d_step { s } fi
#endif

inline reclaimWord(word, w, held) {
#if defined(MUT_DECREMENT)
  OWN(if :: held && word > 0 -> word--; NOTIFY(w) :: else fi)
#elif defined(MUT_NOTIFY_IF_HELD)
  OWN(if :: word > 0 -> word = 0; NOTIFY(w) :: else fi)
#else
  OWN(word = 0; NOTIFY(w))
#endif
}
#ifdef MUT_DECREMENT
#define HELD(a) journal[a]
#else
#define HELD(a) true
#endif
#define RECLAIM_ATTACHMENT(a) \
  reclaimWord(mapped[(a) * 2], W_MAPPED((a) * 2), HELD(a)); \
  reclaimWord(mapped[(a) * 2 + 1], W_MAPPED((a) * 2 + 1), HELD(a)); \
  OWN(pinned[a] = 0; NOTIFY(W_PINNED(a)))

#if defined(MUT_NOTIFY_OWN_LOCKS)
#define RECLAIM_LOCK(b) OWN(if :: lock[b] == me + 1 -> lock[b] = 0; NOTIFY(W_LOCK(b)) :: else fi)
#elif defined(MUT_KEEP_LOCKS)
#define RECLAIM_LOCK(b) skip
#else
#define RECLAIM_LOCK(b) OWN(lock[b] = (lock[b] == me + 1 -> 0 : lock[b]); NOTIFY(W_LOCK(b)))
#endif

inline reclaim() {
  OWN(use[me * 2] = 0; use[me * 2 + 1] = 0);                             /* its pool jobs have drained */
  RECLAIM_ATTACHMENT(me * 2);
  RECLAIM_ATTACHMENT(me * 2 + 1);
#ifdef MUT_FAIL_QUIETLY
  OWN(tl[me] = FAILED);
#else
  OWN(tl[me] = FAILED; NOTIFY(W_TL(me)));
#endif
  RECLAIM_LOCK(0);
  RECLAIM_LOCK(1)
#ifdef OWNER
  /* It had exported buffer 0. Between moves, new maps are forbidden; the last detach frees the pages. */
  ;
  OWN(!busy[0] -> t = GEN(state[0]); state[0] = 0; NOTIFY(W_STATE(0)));
#ifdef MUT_FREE_EARLY
  OWN(HOLDS(5, !use[2]); PAGE(0, t) = FREE)
#else
  OWN(detached -> HOLDS(5, !use[2]); PAGE(0, t) = FREE)
#endif
#endif
}
