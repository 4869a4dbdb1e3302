import { DEAD_SOURCES, LATE_SOURCES } from './boards/sources-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(DEAD_SOURCES);
testProtocol(LATE_SOURCES);
