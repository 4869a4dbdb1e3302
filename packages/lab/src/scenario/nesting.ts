/** Measures how deep a YAML text nests before anything recurses into it. */
import { type CST, Parser } from 'yaml';

/**
 * Whether collections nest deeper than a limit.
 *
 * The composer of `yaml` recurses. Brackets by the thousand bring it to the end of the stack, where V8 does not only
 * throw but may abort the process, compiling a regular expression. The parser below it does not recurse, so it is asked
 * first.
 */
export function nestsDeeperThan(limit: number, text: string): boolean {
  try {
    for (const token of new Parser().parse(text)) if (isDeeper(token, limit)) return true;
    return false;
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

function isDeeper(root: CST.Token, limit: number): boolean {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limit) return true;
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return false;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child !== undefined && child !== null));
}
