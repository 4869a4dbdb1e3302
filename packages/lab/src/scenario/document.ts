/** The file that a scenario was read from: knows the position of everything in it. */
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from 'yaml';
import type { z } from 'zod';
import { explainIssues } from './issues.js';
import type { ScenarioProblem } from './problem.js';

/** A parsed file, for messages that point into it. */
export class ScenarioDocument {
  constructor(
    /** As the user named the file. */
    readonly file: string,
    private readonly yaml: Document,
    private readonly lines: LineCounter,
  ) {}

  /**
   * A problem at the deepest node of a path that the file has. What exists in part only, such as a missing key, is
   * reported where its parent is.
   *
   * @param path keys and places from the top, e.g. `['links', 0, 'from']`
   */
  problemAt(path: readonly (string | number)[], message: string): ScenarioProblem {
    const { offset, value } = this.#find(path);
    const at = offset === undefined ? undefined : this.lines.linePos(offset);
    return {
      file: this.file,
      ...(at && { line: at.line, column: at.col }),
      path: path.join('.'),
      ...(value !== undefined && { value }),
      message,
    };
  }

  /** A problem at a character of the file, where no path leads. */
  problemAtOffset(offset: number, message: string): ScenarioProblem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line, column: col, path: '', message };
  }

  /**
   * Checks a part of the scenario by a schema, e.g. the parameters of a driver.
   *
   * @param value the part; need not stand in the file
   * @param path where it stands, or would
   */
  validateWith<T>(
    schema: z.ZodType<T>,
    value: unknown,
    path: readonly (string | number)[],
  ): { readonly value: T } | { readonly problems: ScenarioProblem[] } {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { value: parsed.data };
    const findings = explainIssues(schema, value, parsed.error.issues);
    return { problems: findings.map((finding) => this.problemAt([...path, ...finding.path], finding.message)) };
  }

  /**
   * Where a path leads: for what stands in a mapping, the offset of its key, since that is what a reader looks for.
   * The value is given for scalars only, and only when the whole path exists.
   */
  #find(path: readonly (string | number)[]): { readonly offset?: number; readonly value?: unknown } {
    let node = this.#resolve(this.yaml.contents);
    let offset = node?.range?.[0];
    for (const key of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(key));
        if (pair === undefined) return { offset };
        offset = rangeStart(pair.key) ?? rangeStart(pair.value) ?? offset;
        node = this.#resolve(pair.value);
      } else if (isSeq(node) && typeof key === 'number' && key < node.items.length) {
        const item = node.items[key];
        offset = rangeStart(item) ?? offset;
        node = this.#resolve(item);
      } else return { offset };
    }
    return { offset, value: isScalar(node) ? node.value : undefined };
  }

  #resolve(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.yaml) ?? null;
    return isMap(node) || isSeq(node) || isScalar(node) ? node : null;
  }
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function rangeStart(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined;
}
