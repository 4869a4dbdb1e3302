import { DYNAMIC_IMPORTER, PINS_OF_A_STAY, PINS_OF_JOBS } from './boards/dynamic-importer-board.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [DYNAMIC_IMPORTER, PINS_OF_JOBS, PINS_OF_A_STAY]) testProtocol(protocol);
