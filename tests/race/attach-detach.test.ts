import { ATTACH } from './boards/attach-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(ATTACH);
