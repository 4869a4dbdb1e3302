import { OPPOSITE_ORDER } from './boards/opposite-order-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(OPPOSITE_ORDER);
