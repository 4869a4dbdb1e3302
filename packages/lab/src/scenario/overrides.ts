/** What the command line may say in place of a scenario. */
import type { Scenario } from './schema.js';

export interface ScenarioOverrides {
  readonly runtime?: Scenario['runtime'] | undefined;
  readonly pace?: Scenario['pace'] | undefined;
  readonly seed?: number | undefined;
  readonly ties?: Scenario['ties'] | undefined;
  /** In nanoseconds. Events of the timeline that lie beyond it do not happen. */
  readonly duration?: number | undefined;
  readonly payload?: Scenario['payload'] | undefined;
  /** Switches the DMA sanitizer on, or off. */
  readonly sanitizer?: boolean | undefined;
  /** Switches the history checker on, or off. */
  readonly history?: boolean | undefined;
}

/** The scenario with some settings replaced; what is absent or undefined stays. Leaves its argument as it was. */
export function applyOverrides(scenario: Scenario, overrides: ScenarioOverrides): Scenario {
  const { runtime, pace, seed, ties, duration, payload, sanitizer, history } = overrides;
  return {
    ...scenario,
    runtime: runtime ?? scenario.runtime,
    pace: pace ?? scenario.pace,
    seed: seed ?? scenario.seed,
    ties: ties ?? scenario.ties,
    duration: duration ?? scenario.duration,
    payload: payload ?? scenario.payload,
    debug: {
      ...scenario.debug,
      sanitizer: sanitizer ?? scenario.debug.sanitizer,
      history: history ?? scenario.debug.history,
    },
  };
}
