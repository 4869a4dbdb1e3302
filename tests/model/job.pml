/* A job on two buffers. */
/* Locks both reservations by wait-die. What a job does where a mover holds one, depends on tickets: either is tried. */
inline lockBoth() {
  STEP(young = me);
  WAIT(lock[x] == 0, W_LOCK(x), lock[x] = me + 1);
  do
  DIE
  :: d_step { AWAKE && lock[1 - x] == 0 -> lock[1 - x] = me + 1 }; break
#ifdef MUT_NO_BACK_OFF
  :: d_step { AWAKE && lock[1 - x] != 0 -> slp[me] = W_LOCK(1 - x) }
#else
  :: d_step { AWAKE && lock[1 - x] != 0 && (lock[1 - x] > 2 || young != me) -> slp[me] = W_LOCK(1 - x) }
  :: AWAKE && lock[1 - x] != 0 && (lock[1 - x] > 2 || young == me) ->    /* EDEADLK */
     PUT(W_LOCK(x), lock[x] = 0);
     x = 1 - x;
     WAIT(lock[x] == 0, W_LOCK(x), lock[x] = me + 1)
#endif
  od
}

proctype Job(byte me) {
  byte x, k, t, n, c[2];
  bit flag;                                /* it lost: another job has published before it */
  d_step { x = me; c[0] = 2; c[1] = 2 };
  do
  :: n == ROUNDS -> break
  :: n < ROUNDS ->
#if WRITERS
     WAIT(SIGNALLED(OTHER, x), W_TL(OTHER), skip);                       /* fences that order it behind the other job */
     WAIT(SIGNALLED(OTHER, 1 - x), W_TL(OTHER), skip);
#endif
     mapAll(2);
#if PINNERS && !defined(MUT_PIN_LATE)
     if :: PINNER -> STEP(pinned[AT(x)]++); STEP(pinned[AT(1 - x)]++) :: !PINNER fi;     /* P7, I5 */
#endif
#ifdef MUT_LEAVE_EARLY
     UNMAP(x, skip, skip);
     UNMAP(1 - x, skip, skip);
#endif
     lockBoth();
     if
     DIE
#if WRITERS
     :: d_step { !(SIGNALLED(OTHER, 0) && SIGNALLED(OTHER, 1)) -> flag = 1; x = me }     /* the other was quicker */
     :: d_step { SIGNALLED(OTHER, 0) && SIGNALLED(OTHER, 1) -> n++; pub[AT(x)] = n };
#else
     :: d_step { n++; pub[AT(x)] = n };
#endif
        STEP(pub[AT(1 - x)] = n; x = me)
     fi;
     PUT(W_LOCK(x), lock[x] = 0);
     PUT(W_LOCK(1 - x), lock[1 - x] = 0);
     if :: !flag && !DYNAMIC -> PUT(W_TL(me), tl[me] = n) :: flag || DYNAMIC fi;
#ifndef MUT_LEAVE_EARLY
     do
     :: k == 2 -> break
     :: k < 2 ->
#if PINNERS
        if :: flag && PINNER -> UNPIN(NTH(k), skip) :: !flag || !PINNER fi;
#endif
        UNMAP(NTH(k), use[AT(NTH(k))] = (DYNAMIC && !flag -> use[AT(NTH(k))] : 0), k++)  /* P3; P6: the fences stand for it */
     od;
#endif
#if DYNAMICS
#ifdef MUT_PIN_LATE
     if :: PINNER -> STEP(pinned[AT(x)]++); STEP(pinned[AT(1 - x)]++) :: !PINNER fi;
#endif
     if
     :: !flag && DYNAMIC && !PINNER -> PUT(W_TL(me), tl[me] = n; STOP(0); STOP(1))
#if PINNERS
     :: !flag && DYNAMIC && PINNER -> PUT(W_TL(me), tl[me] = n); UNPIN(x, STOP(x)); UNPIN(1 - x, STOP(1 - x))
#endif
     :: flag || !DYNAMIC
     fi;
#endif
     if :: d_step { flag = 0; k = 0 } fi
  od;
  AFTERLIFE
end_job: false
}
