/** What there is to explain: for each pool of a scenario, or for a constraint file, who shares an image on which board. */
import type { DeviceConstraints, ImageRequest, LayoutConstraints } from '@dmabuf-lab/core/constraints';
import { deviceConstraintsOf, layoutConstraintsOf } from '../library/index.js';
import { planDevices } from '../run/pipeline.js';
import { asSimulated, FORMAT_NAMES } from '../run/pool-layout.js';
import { presenceOf, usersOf } from '../run/topology.js';
import type { LoadedScenario, Scenario } from '../scenario/index.js';

/** A device that shares the image. */
export interface Sharer {
  readonly device: string;
  readonly constraints: DeviceConstraints;
  /** Absent = any layout will do. */
  readonly layout?: LayoutConstraints;
  /** Comes after the buffers have been allocated. */
  readonly late: boolean;
  readonly mapping: 'per-job' | 'held';
  readonly importer: 'static' | 'dynamic';
  /** It pins what it has mapped. */
  readonly pin: boolean;
}

/** Buffers that devices share. */
export interface SharingCase {
  readonly name: string;
  readonly image: ImageRequest;
  /** How many; absent = as many as the devices need. */
  readonly buffers?: number;
  /** Size of a buffer where no layout suits all, in bytes. */
  readonly assumeBytes?: number;
  readonly cpuAccess: boolean;
  /** Whether their exporter moves them. */
  readonly movable: boolean;
  /** What the exporter does with a buffer in use; absent = it waits. */
  readonly onBusy?: 'wait' | 'busy';
  /** Whether buffers return once a strict device has left; absent = when idle. */
  readonly moveBack?: 'never' | 'idle';
  /** The layout is settled for all devices beforehand, those that come late included, as a run does it. */
  readonly laidOutForAll?: boolean;
  /** In the order of the file. */
  readonly sharers: readonly Sharer[];
}

/** The board that the buffers are on. */
export type BoardOfCase = Pick<Scenario, 'memory' | 'heaps'>;

/** Drivers whose calls are those of V4L2; the others are DRM's. */
const V4L2_DRIVERS: readonly string[] = ['camera', 'encoder'];

/**
 * One case for each pool of a scenario.
 *
 * @throws ScenarioError when the devices cannot work together
 */
export async function casesOfScenario(loaded: LoadedScenario): Promise<SharingCase[]> {
  const { scenario } = loaded;
  const planned = await planDevices(loaded);
  const cases: SharingCase[] = [];
  for (const { name, outputs, forwards } of planned.values()) {
    for (const [port, format] of Object.entries(outputs)) {
      if (forwards[port] !== undefined) continue;
      const pool = `${name}.${port}`;
      const { buffers = 4, allocate = 'deferred', movable } = scenario.pools[pool] ?? {};
      cases.push({
        name: pool,
        image: {
          widthPixels: format.widthPixels,
          heightPixels: format.heightPixels,
          formats: [FORMAT_NAMES[format.fourcc]],
        },
        buffers,
        assumeBytes: format.sizeBytes,
        cpuAccess: false,
        movable: movable ?? typeof allocate === 'string',
        onBusy: scenario.exporter.policy,
        moveBack: scenario.exporter.moveBack,
        laidOutForAll: true,
        sharers: usersOf(scenario, planned, pool).map((device) =>
          sharerOf(scenario, device, FORMAT_NAMES[format.fourcc]),
        ),
      });
    }
  }
  return cases;
}

function sharerOf(scenario: Scenario, device: string, format: string): Sharer {
  const { driver, constraints, layout, mapping, importer, pin } = scenario.devices[device];
  const subsystem = V4L2_DRIVERS.includes(driver) ? 'v4l2' : 'drm';
  return {
    device,
    constraints: { ...deviceConstraintsOf(device, constraints), subsystem },
    ...(layout && { layout: asSimulated(layoutConstraintsOf(device, layout), format) }),
    late: (presenceOf(scenario, device)[0]?.fromNs ?? 0) > 0,
    mapping,
    importer: importer ?? 'static',
    pin,
  };
}
