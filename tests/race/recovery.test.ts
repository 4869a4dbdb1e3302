import { RECOVERY } from './boards/recovery-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(RECOVERY);
