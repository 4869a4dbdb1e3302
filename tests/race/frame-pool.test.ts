import { POOL } from './boards/links.js';
import { testProtocol } from './boards/test-protocol.js';

testProtocol(POOL);
