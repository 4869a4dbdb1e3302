import { MAP_AND_MOVE } from './boards/map-board.js';
import { MAP_WORDS } from './boards/map-words-board.js';
import { testProtocol } from './boards/test-protocol.js';

for (const protocol of [MAP_WORDS, MAP_AND_MOVE]) testProtocol(protocol);
