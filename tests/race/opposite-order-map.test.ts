import { OPPOSITE_ORDER, OPPOSITE_ORDER_ONE_MOVE } from './boards/opposite-order-board.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [OPPOSITE_ORDER, OPPOSITE_ORDER_ONE_MOVE]) testProtocol(protocol);
