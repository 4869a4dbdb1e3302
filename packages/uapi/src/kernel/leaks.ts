/**
 * What processes have left open, by the line of the program that made it: descriptors, mappings of dma-bufs, and devices that
 * are attached to them. Linux closes all of it at exit(2) and says nothing; while the program runs it keeps buffers alive.
 *
 * Source: exit_files and exit_mmap, v6.12; /sys/kernel/debug/dma_buf/bufinfo lists the attachments.
 */
import { CallSites, folderAbove } from '@dmabuf-lab/core/base';
import type { FindingKind } from '@dmabuf-lab/core/dma-buf';
import type { SimulatedKernel } from './kernel.js';
import type { OpenFile } from './open-file.js';

/** This file lies so deep below all packages: `uapi/dist/kernel`. */
const DEPTH_OF_FOLDER = 3;

/** Finds the lines of programs: of whatever is not the simulated machine. @param base URL of the folder that files are named from */
export function programCallSites(base?: string): CallSites {
  return new CallSites(folderAbove(import.meta.url, DEPTH_OF_FOLDER), base);
}

/** Something that is open. */
interface Open {
  readonly kind: Extract<FindingKind, 'descriptor-left-open' | 'mapping-left-open' | 'attachment-left-open'>;
  readonly op: string;
  readonly who: string;
  /** What it is open of. */
  readonly target: string;
  /** Tells it from others that the same line has made. */
  readonly name: string;
  readonly site: string | undefined;
}

/** So many of a group are named; the others are counted. */
const NAMED = 10;

/**
 * Notes what is open now as findings, those of one line together. Nothing without `callSites` of the kernel, which alone knows the
 * lines.
 *
 * Context: at the end of a program, before its processes are ended.
 */
export function noteLeaks(kernel: SimulatedKernel): void {
  if (kernel.callSites === undefined) return;
  const groups = new Map<string, Open[]>();
  for (const open of everything(kernel)) {
    const key = JSON.stringify([open.kind, open.who, open.site ?? open.target]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [open]);
    else group.push(open);
  }
  for (const group of groups.values()) note(kernel, group);
}

const NOUNS = {
  'descriptor-left-open': ['descriptor', 'descriptors'],
  'mapping-left-open': ['mapping', 'mappings'],
  'attachment-left-open': ['attachment', 'attachments'],
} as const;

function note(kernel: SimulatedKernel, group: readonly Open[]): void {
  const [{ kind, op, who, target: buffer, site }] = group;
  const [one, many] = NOUNS[kind];
  const names = group.slice(0, NAMED).map(({ name, target }) => `${name} (${target})`);
  if (group.length > NAMED) names.push(`${group.length - NAMED} more`);
  const what = group.length === 1 ? `1 ${one} of ${who} is` : `${group.length} ${many} of ${who} are`;
  const made = site === undefined ? '' : `; made at ${site}`;
  const message = `${what} still there at the end: ${names.join(', ')}${made}`;
  const open = group.map(({ name, target }) => ({ name, target }));
  kernel.dmaBufRules.note({ kind, op, buffer, who, message, details: { open, ...(site !== undefined && { site }) } });
}

function* everything(kernel: SimulatedKernel): Generator<Open> {
  for (const [i, process] of [...kernel.processes].entries()) {
    const who = `process ${i + 1}`;
    for (const fd of process.fds.numbers) {
      const target = targetOf(kernel, process.fds.file(fd, 'exit'));
      yield {
        kind: 'descriptor-left-open',
        op: 'exit_files',
        who,
        target,
        name: `${fd}`,
        site: process.fds.siteOf(fd),
      };
    }
    for (const { file, address, site } of process.memory.mappings) {
      if (!kernel.dmaBufs.has(file)) continue;
      const name = `0x${address.toString(16)}`;
      yield { kind: 'mapping-left-open', op: 'exit_mmap', who, target: targetOf(kernel, file), name, site };
    }
  }
  for (const { name: target, attached } of kernel.dmaBufs.values()) {
    for (const { device, site } of attached()) {
      yield { kind: 'attachment-left-open', op: 'dma_buf_detach', who: device, target, name: 'attached', site };
    }
  }
}

/** A dma-buf by the name that all findings call it. */
const targetOf = (kernel: SimulatedKernel, file: OpenFile): string => kernel.dmaBufs.get(file)?.name ?? file.linkTarget;
