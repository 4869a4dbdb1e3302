/**
 * The layout of the frames of a pool: what the devices that share it have negotiated, as user space does before it
 * allocates. Every device that a link brings frames to takes part, also one that attaches late.
 */
import { type LayoutAgreed, type LayoutConstraints, negotiateLayout } from '@dmabuf-lab/core/constraints';
import type { FrameFormat } from '@dmabuf-lab/core/driver';
import { layoutConstraintsOf } from '../library/index.js';
import type { RunResult } from '../result/index.js';
import type { Scenario } from '../scenario/index.js';

/** Something about the layout that Linux would not have told. */
export type LayoutFinding = RunResult['hazards'][number];

/** The formats of the simulated devices, by the names of drm_fourcc.h; a bitstream has no layout, and its own name. */
export const FORMAT_NAMES: Readonly<Record<FrameFormat['fourcc'], string>> = {
  NV12: 'NV12',
  AB24: 'ABGR8888',
  H264: 'H264',
};

/**
 * Lays out the frames of a pool.
 *
 * @param format as the owner's driver gives it
 * @param users devices that share the pool
 * @returns the format with negotiated stride, rows and size; as it was where nobody asks for anything, or nothing suits all
 */
export function layOutFrames(
  scenario: Scenario,
  pool: string,
  format: FrameFormat,
  users: readonly string[],
): { readonly format: FrameFormat; readonly findings: readonly LayoutFinding[] } {
  const { fourcc, widthPixels, heightPixels } = format;
  if (fourcc === 'H264') return { format, findings: [] };
  const name = FORMAT_NAMES[fourcc];
  const participants = users.flatMap((device) => {
    const { layout } = scenario.devices[device];
    return layout === undefined ? [] : [asSimulated(layoutConstraintsOf(device, layout), name)];
  });
  if (participants.length === 0) return { format, findings: [] };
  const { buffers = 4 } = scenario.pools[pool] ?? {};
  const found = (kind: LayoutFinding['kind'], device: string, message: string): LayoutFinding => {
    return { kind, device, pool, buffers, bytesPerMap: 0, message };
  };
  const simulator = { device: 'simulator', options: [{ formats: [{ format: name, modifiers: ['LINEAR'] }] }] };
  const answer = negotiateLayout({
    image: { widthPixels, heightPixels, formats: [name] },
    participants: [...participants, simulator],
  });
  if (answer.status !== 'agreed') {
    const conflict = answer.status === 'waiting' ? undefined : answer.conflicts[0];
    const devices = (conflict?.devices ?? users).filter((device) => device !== simulator.device);
    const why = conflict?.why ?? answer.prose;
    return { format, findings: [found('layout-conflict', devices[0] ?? users[0], `no layout suits all, ${why}`)] };
  }
  const findings = answer.hazards.map(({ kind, devices, message }) => {
    return found(kind === 'implicit-modifier' ? kind : 'silent-corruption', devices[0], message);
  });
  return { format: withLayout(format, answer), findings };
}

/**
 * A device as the simulation has it: simulated frames are NV12 or RGBA, and a device whose profile knows neither takes part
 * with those of its rules that hold for every format.
 */
export function asSimulated(layout: LayoutConstraints, format: string): LayoutConstraints {
  const knows = layout.options.some(({ formats }) => formats?.some((one) => one.format === format) ?? true);
  if (knows) return layout;
  return { ...layout, options: layout.options.map(({ formats: _, ...option }) => option) };
}

/** A negotiated layout as frames carry it; as it was where the simulated formats cannot say it. */
function withLayout(format: FrameFormat, { planes, sizeBytes }: LayoutAgreed): FrameFormat {
  const [first, second] = planes;
  const { strideBytes } = first;
  const rows = second === undefined ? first.rows : second.offsetBytes / strideBytes;
  const isPlain =
    first.offsetBytes === 0 && (second === undefined || (second.strideBytes === strideBytes && rows % 2 === 0));
  return isPlain ? { ...format, strideBytes, rows, sizeBytes } : format;
}
