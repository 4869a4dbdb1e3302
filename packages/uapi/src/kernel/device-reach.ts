/** Whether a device can use memory that is there already, as the mapping of a buffer finds out. */
import { type AddressRun, checkMapping, type DeviceConstraints } from '@dmabuf-lab/core/constraints';
import type { SimulatedKernel } from './kernel.js';
import { type Page, pageRuns } from './pages.js';

/** Why a device cannot use pages. */
export interface ReachProblem {
  /** What the mapping answers. */
  readonly errno: 'EINVAL' | 'EIO' | 'ENOMEM';
  readonly message: string;
}

/**
 * What a device has against pages, by their addresses. Where the kernel does not know those, only whether they lie in one piece
 * is looked at.
 *
 * Source: dma_direct_map_sg (EIO), drm_gem_dma_prime_import_sg_table (EINVAL), iommu_dma_map_sg (ENOMEM), v6.12.
 *
 * @returns undefined when it can use them
 */
export function reachProblem(
  kernel: SimulatedKernel,
  pages: readonly Page[],
  constraints: DeviceConstraints,
): ReachProblem | undefined {
  const views = pageRuns(pages);
  const runs: AddressRun[] = [];
  for (const view of views) {
    const address = kernel.addressOf(view);
    if (address === undefined) return scatterProblem(views.length, constraints);
    runs.push({ address, lengthBytes: view.length });
  }
  return checkMapping(runs, constraints);
}

function scatterProblem(runs: number, { device, contiguous, iommu }: DeviceConstraints): ReachProblem | undefined {
  if (contiguous !== true || iommu !== undefined || runs <= 1) return undefined;
  return { errno: 'EINVAL', message: `its pages lie in ${runs} runs, and ${device} needs one` };
}
