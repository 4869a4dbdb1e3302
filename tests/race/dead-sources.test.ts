import { DEAD_SOURCES } from './boards/dead-sources-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(DEAD_SOURCES);
