/** Every protocol of shared words that is explored. */
import { ATTACH } from './attach-board.js';
import { DYNAMIC_IMPORTER, PINS_OF_A_STAY, PINS_OF_JOBS } from './dynamic-importer-board.js';
import { EXPORTER_RESTART } from './exporter-restart-board.js';
import { FENCES } from './fence-board.js';
import { FENCE_DEADLINES } from './fence-deadline-board.js';
import { FENCE_REUSE } from './fence-reuse-board.js';
import {
  FRAME_OVERWRITTEN,
  POOL,
  RING_BLOCKS,
  RING_DROPS,
  RING_DROPS_OVERWRITTEN,
  RING_LEAVE,
  RING_OVERWRITTEN,
} from './links.js';
import { MAP_AND_MOVE } from './map-board.js';
import { MAP_WORDS } from './map-words-board.js';
import { OPPOSITE_ORDER, OPPOSITE_ORDER_ONE_MOVE } from './opposite-order-board.js';
import { PARK_ROWS_LOOK } from './park-board.js';
import type { Protocol } from './protocol.js';
import { RECOVERY } from './recovery-board.js';
import { RESERVATIONS } from './resv-board.js';
import { RUNTIME } from './runtime-board.js';
import { DEAD_SOURCES, LATE_SOURCES } from './sources-board.js';

export const PROTOCOLS: readonly Protocol[] = [
  MAP_WORDS,
  MAP_AND_MOVE,
  OPPOSITE_ORDER,
  OPPOSITE_ORDER_ONE_MOVE,
  DYNAMIC_IMPORTER,
  PINS_OF_JOBS,
  PINS_OF_A_STAY,
  ATTACH,
  FENCES,
  FENCE_REUSE,
  FENCE_DEADLINES,
  RESERVATIONS,
  RING_BLOCKS,
  RING_DROPS,
  RING_LEAVE,
  RING_OVERWRITTEN,
  RING_DROPS_OVERWRITTEN,
  POOL,
  FRAME_OVERWRITTEN,
  RUNTIME,
  PARK_ROWS_LOOK,
  RECOVERY,
  EXPORTER_RESTART,
  DEAD_SOURCES,
  LATE_SOURCES,
];
