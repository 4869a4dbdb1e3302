/* Other users of buffers than jobs on sets. */
#ifdef LEASES
/* CPU access: a lease is a mapping of an attachment of its own, and has no fence. */
proctype Lease(byte me) {
  byte x, k, t, n, c[2];
  bit flag;
  d_step { x = me; c[0] = 2; c[1] = 2 };
  do
  :: n == ROUNDS * 2 -> break
  :: n < ROUNDS * 2 ->
     WAIT(SIGNALLED(OTHER, x), W_TL(OTHER), skip);
     mapAll(1);
     UNMAP(x, STOP(x), skip);
     d_step { x = 1 - x; n++ }
  od;
  AFTERLIFE
end_lease: false
}
#endif
#ifdef LANES
/* One lane that begins a job on its other buffer while the fence of the first is pending, and ends that first if it must. */
proctype Lane(byte me) {
  byte x, k, t, n, c[2];
  bit flag;                              /* it owes a published fence */
  d_step { x = me; c[0] = 2; c[1] = 2 };
  mapAll(1);
  WAIT(lock[x] == 0, W_LOCK(x), lock[x] = me + 1);
  STEP(pub[AT(x)] = 1; flag = 1);
  PUT(W_LOCK(x), lock[x] = 0);
  x = 1 - x;
  mapAll(1);
  if :: flag -> PUT(W_TL(me), tl[me] = 1; flag = 0); UNMAP(1 - x, STOP(1 - x), skip) :: !flag fi;
  UNMAP(x, STOP(x), skip);
  AFTERLIFE
end_lane: false
}
#endif
