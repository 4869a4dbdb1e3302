/** Parameters of users' drivers under stress, as the command line gives them: read and checked, with the place of what is wrong. */
import { readFile } from 'node:fs/promises';
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { ScenarioError } from '../scenario/problem.js';
import { readError, readYaml, textOf, type YamlFile } from '../scenario/yaml-file.js';

const NOUN = 'mapping of parameters';

/**
 * Reads the parameters of one driver: what begins with `{` is the mapping itself, as JSON; anything else the name of a file in YAML or JSON.
 *
 * @param given as the user typed it
 * @param pathOf where a name of a file leads
 * @param place which of the mappings it is, from 1, where there are several; messages name it
 * @throws ScenarioError when it cannot be read, or is no mapping
 */
export async function readOwnParameters(
  given: string,
  pathOf: (name: string) => string,
  place?: number,
): Promise<YamlFile> {
  const name = place === undefined ? '--parameters' : `--parameters (${place})`;
  if (given.trimStart().startsWith('{')) return readYaml(given, name, NOUN);
  let bytes: Buffer;
  try {
    bytes = await readFile(pathOf(given));
  } catch (error) {
    throw readError(error, given, NOUN);
  }
  return readYaml(textOf(bytes, given, NOUN), given, NOUN);
}

/** Refuses what a driver does not take. @throws ScenarioError with every problem found, at its place */
export function checkOwnParameters({ parameters }: AnyDriver, { value, document }: YamlFile): void {
  const checked = document.validateWith(parameters, value, []);
  if ('problems' in checked) throw new ScenarioError(checked.problems);
}
