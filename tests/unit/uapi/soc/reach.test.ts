/** Constraints of DRM nodes on a machine that knows no addresses of its pages. */
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { addRenderNode, createRenderBuffer, openDrm, primeFdToHandle, primeHandleToFd } from '@dmabuf-lab/uapi';
import test from 'ava';
import { addGpu, GPU, onMachine, refusal } from './drm-machine.js';

const OTHER = '/dev/dri/renderD131';

test('a render node that needs one piece, takes its own objects from there and refuses others that lie apart', (t) => {
  const asked: number[] = [];
  const seen = onMachine(function* ({ process, kernel, host }) {
    const { driver } = builtInDrivers.gpu;
    const pages = {
      allocate: (count: number) => {
        asked.push(count);
        const whole = new Uint8Array(count * 4096);
        return {
          pages: Array.from({ length: count }, (_, i) => whole.subarray(i * 4096, (i + 1) * 4096)),
          free: () => {},
        };
      },
    };
    const parameters = driver.parameters.parse({});
    const constraints = { contiguous: true };
    addRenderNode(host, { name: 'blitter', driver, parameters, path: OTHER, constraints, pages });
    addGpu(host);
    const [blitter, gpu] = [openDrm(process, OTHER), openDrm(process, GPU)];
    const scattered = {
      allocate: (count: number) => ({
        pages: Array.from({ length: count }, () => new Uint8Array(4096)),
        free: () => {},
      }),
    };
    addRenderNode(host, { name: 'scatterer', driver, parameters, path: '/dev/dri/renderD132', pages: scattered });
    const scatterer = openDrm(process, '/dev/dri/renderD132');
    const apart = yield* createRenderBuffer(process, scatterer, 3 * 4096);
    const fd = yield* primeHandleToFd(process, scatterer, apart.handle);
    const whole = yield* createRenderBuffer(process, blitter, 2 * 4096);
    const wholeFd = yield* primeHandleToFd(process, blitter, whole.handle);
    return {
      constraints: kernel.deviceNamed('blitter'),
      apart: yield* refusal(primeFdToHandle(process, blitter, fd)),
      apartForGpu: yield* refusal(primeFdToHandle(process, gpu, fd)),
      whole: yield* refusal(primeFdToHandle(process, gpu, wholeFd)),
    };
  });
  t.deepEqual(seen, {
    constraints: { device: 'blitter', contiguous: true },
    apart: 'EINVAL',
    apartForGpu: 'no error',
    whole: 'no error',
  });
  t.deepEqual(asked, [2]);
});
