import { RUNTIME } from './boards/runtime-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(RUNTIME);
