import { FENCES } from './boards/fence-board.js';
import { FENCE_DEADLINES } from './boards/fence-deadline-board.js';
import { FENCE_REUSE } from './boards/fence-reuse-board.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [FENCES, FENCE_REUSE, FENCE_DEADLINES]) testProtocol(protocol);
