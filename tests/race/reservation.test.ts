import { RESERVATIONS } from './boards/resv-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(RESERVATIONS);
