/** Which formats and modifiers a negotiation considers, and in which order. */
import { byName } from '../provenance.js';
import { canonicalFormat } from './formats.js';
import {
  ANY_MODIFIER,
  IMPLICIT_MODIFIER,
  type ImageRequest,
  type LayoutConstraints,
  LINEAR_MODIFIER,
} from './layout-constraints.js';
import { modifiersOf, optionsOf } from './layout-facts.js';

/** Every format that somebody names, with the modifiers that somebody takes it in. */
export function modifiersByFormat(participants: readonly LayoutConstraints[]): Map<string, Set<string>> {
  const byFormat = new Map<string, Set<string>>();
  for (const c of participants) {
    for (const option of optionsOf(c)) {
      for (const support of option.formats ?? []) {
        const format = canonicalFormat(support.format);
        const modifiers = byFormat.get(format) ?? new Set();
        for (const modifier of modifiersOf(support, option)) modifiers.add(modifier);
        byFormat.set(format, modifiers);
      }
    }
  }
  return byFormat;
}

/** The formats to consider: those asked for, in that order, else all that are named, by name. */
export function formatsOf(image: ImageRequest, named: Iterable<string>): string[] {
  if (image.formats !== undefined) return [...new Set(image.formats.map(canonicalFormat))];
  return [...named].sort(byName);
}

/** The modifiers to consider for a format: LINEAR, then those named, by name, then INVALID if somebody means it. */
export function modifierUniverse(image: ImageRequest, namedForFormat: Iterable<string> = []): string[] {
  if (image.modifiers !== undefined) return [...new Set(image.modifiers)];
  const named = new Set(namedForFormat);
  const implicit = named.delete(IMPLICIT_MODIFIER) ? [IMPLICIT_MODIFIER] : [];
  named.delete(ANY_MODIFIER);
  named.delete(LINEAR_MODIFIER);
  return [LINEAR_MODIFIER, ...[...named].sort(byName), ...implicit];
}
