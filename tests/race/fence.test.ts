import { FENCES } from './boards/fence-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(FENCES);
