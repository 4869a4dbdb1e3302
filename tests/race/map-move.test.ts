import { MAP_AND_MOVE } from './boards/map-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(MAP_AND_MOVE);
