/**
 * An encoder of a scenario behind a V4L2 mem2mem node: pictures are queued on its OUTPUT side, H.264 comes out of its CAPTURE
 * side. Each open file is a context of its own, and the device does one job at a time.
 *
 * Source: Documentation/userspace-api/media/v4l/dev-encoder.rst and v4l2-mem2mem.c, v6.12. Differs: STREAMOFF gives up the job
 * that runs, as a driver with a job_abort may, and does not wait for it; there are no events.
 */
import { addVideoNode } from '../../v4l2/video-file.js';
import { queuesOf } from '../../v4l2/video-node.js';
import { contextParts, refuseUnbound, type SocHost } from '../soc-device.js';
import { CoderPlan } from './coder-formats.js';
import { EncoderContext, type EncoderDevice } from './encoder-context.js';
import { JobTurns } from './job-turns.js';
import type { SocVideoDevice, VideoDeviceOptions } from './video-device.js';

/**
 * Adds an encoder. Its driver has one input, and one output which its plan says carries H.264. For each picture that it takes
 * it acquires a buffer, pushes it, and releases the picture; one that it gives back without is lost.
 *
 * @throws ErrnoError EINVAL when the driver is no such encoder
 */
export function addEncoderNode(host: SocHost, options: VideoDeviceOptions): SocVideoDevice {
  const { name, path, driver, parameters } = options;
  const parts = contextParts(host, name, options.statistics);
  const { statistics } = parts;
  const plan = new CoderPlan(driver, parameters);
  const device: EncoderDevice = {
    options,
    parts,
    plan,
    turns: new JobTurns(host.kernel),
    statistics,
    failures: [],
    running: new Set(),
    contexts: new Set(),
    isUnbound: false,
  };
  addVideoNode(host.kernel, path, () => new EncoderContext(device));
  return {
    name,
    paths: [path],
    statistics,
    failures: device.failures,
    get isRunning() {
      return device.running.size > 0;
    },
    unbind: () => unbind(device),
  };
}

/**
 * Source: vb2_video_unregister_device, v6.12. Differs: Linux leaves the queues of a mem2mem device to the close of its files, and
 * whoever is blocked in DQBUF with them.
 */
function unbind(device: EncoderDevice): void {
  const { options, parts, contexts } = device;
  refuseUnbound(options.name, device.isUnbound);
  device.isUnbound = true;
  parts.kernel.removeNode(options.path);
  for (const context of contexts) for (const queue of queuesOf(context)) queue.release();
  parts.kernel.changed();
}
