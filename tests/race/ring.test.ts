import { RING_BLOCKS, RING_DROPS, RING_DROPS_OVERWRITTEN, RING_LEAVE, RING_OVERWRITTEN } from './boards/links.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [RING_BLOCKS, RING_DROPS, RING_LEAVE, RING_OVERWRITTEN, RING_DROPS_OVERWRITTEN])
  testProtocol(protocol);
