/** The actor that runs cases, one after the other, each on a kernel of its own. */
import { type Task, wordIndex } from '@dmabuf-lab/core/base';
import type { DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { startKernel } from '../machine/index.js';
import { parseCases } from './case-file.js';
import type { Answer } from './operation.js';
import { runCase } from './run-case.js';

/** Plain data of the actor: the text of case files, and which cases of them to run. */
export interface CaseActorData {
  readonly files: readonly { readonly file: string; readonly text: string }[];
  readonly ids: readonly string[];
  readonly changedWord: number;
  readonly rules: DmaBufRulesOptions;
}

export function* program(host: ActorHost, data: CaseActorData): Task<Record<string, Answer[]>> {
  yield* host.ready();
  const wanted = new Set(data.ids);
  const answers: Record<string, Answer[]> = {};
  for (const { file, text } of data.files) {
    for (const one of parseCases(text, file)) {
      if (!wanted.has(`${file}#${one.id}`)) continue;
      const kernel = startKernel(host, host.memory, wordIndex(data.changedWord), { rules: data.rules });
      answers[`${file}#${one.id}`] = yield* runCase(one, kernel);
    }
  }
  return answers;
}
