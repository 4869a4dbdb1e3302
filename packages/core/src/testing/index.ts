export {
  brokenOff,
  type ConformOptions,
  type ConformResult,
  conformDriver,
  type KnownBefore,
  NO_RUN,
  type RuleVerdict,
  type ToldFinding,
} from './conform-driver.js';
export { conformText } from './conform-text.js';
export type { Finding } from './findings.js';
export { ENDLESS_REMEDY, RULE_NAMES, RULES, type Rule, type RuleName } from './rules.js';
export { ConformInputError, type DriverSource } from './subject.js';
