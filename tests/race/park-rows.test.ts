import { PARK_ROWS_LOOK } from './boards/park-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(PARK_ROWS_LOOK);
