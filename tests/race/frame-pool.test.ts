import { FRAME_OVERWRITTEN, POOL } from './boards/links.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [POOL, FRAME_OVERWRITTEN]) testProtocol(protocol);
