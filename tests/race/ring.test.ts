import { RING_BLOCKS, RING_DROPS, RING_LEAVE } from './boards/links.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [RING_BLOCKS, RING_DROPS, RING_LEAVE]) testProtocol(protocol);
