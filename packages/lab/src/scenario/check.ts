/** Checks of a scenario that concern two places of the file at once. Those of single values are in `schema.ts`. */
import type { ScenarioDocument } from './document.js';
import type { ScenarioProblem } from './problem.js';
import type { Scenario } from './schema.js';

export function checkScenario(_scenario: Scenario, _document: ScenarioDocument): ScenarioProblem[] {
  return [];
}
