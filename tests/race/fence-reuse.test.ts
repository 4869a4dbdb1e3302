import { FENCE_REUSE } from './boards/fence-reuse-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(FENCE_REUSE);
