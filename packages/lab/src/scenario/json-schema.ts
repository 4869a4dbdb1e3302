/** The JSON Schema of scenario files, by which editors complete and check them. */
import { z } from 'zod';
import { scenarioSchema } from './schema.js';

/** The JSON Schema (2020-12) of a scenario as it is written, as published in `docs/scenario.schema.json`. */
export function scenarioJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(scenarioSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // Every integer of JavaScript has these bounds: saying so at each of them hides the ones that mean something.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
}
