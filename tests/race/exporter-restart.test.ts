import { EXPORTER_RESTART } from './boards/exporter-restart-board.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(EXPORTER_RESTART);
