/** Options that say which kernel is followed, and how strictly. */
import type { DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import { type Command, Option } from 'commander';

export interface RulesFlags {
  readonly strict?: boolean;
  readonly kernel?: '6.12' | '7';
}

export function addRulesOptions(command: Command): Command {
  return command
    .addOption(new Option('--like-linux', 'pass violations that Linux does not check, and report them (default)'))
    .addOption(new Option('--strict', 'refuse violations that Linux does not check').conflicts('likeLinux'))
    .addOption(new Option('--kernel <version>', 'follow this kernel').choices(['6.12', '7']).default('6.12'));
}

export const rulesOf = ({ strict, kernel = '6.12' }: RulesFlags): DmaBufRulesOptions => ({
  kernel,
  mode: strict === true ? 'strict' : 'like-linux',
});
