import { FENCES } from './boards/fence-board.js';
import { FENCE_REUSE } from './boards/fence-reuse-board.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [FENCES, FENCE_REUSE]) testProtocol(protocol);
