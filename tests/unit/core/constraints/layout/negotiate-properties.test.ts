import {
  combineLayoutRules,
  type LayoutConstraints,
  type LayoutFact,
  type LayoutOption,
  type LayoutResult,
  type LayoutRules,
  mergeLayoutRules,
  negotiateLayout,
  type ParticipantRules,
} from '@dmabuf-lab/core/constraints';
import { testProp } from '@fast-check/ava';
import fc from 'fast-check';
import { repeated } from '../arbitraries.js';
import { image, NAMES, participants, roundImage, rules } from './layout-arbitraries.js';
import { modelNegotiation } from './layout-model.js';

const format = fc.constantFrom('NV12', 'YUV420', 'YUYV', 'XRGB8888', 'SRGGB10P');
const given: fc.Arbitrary<ParticipantRules[]> = fc.array(fc.record({ device: fc.constantFrom(...NAMES), rules }), {
  maxLength: 5,
});

testProp(
  'mergeLayoutRules, is commutative: any order gives the same',
  [format, given, fc.infiniteStream(fc.nat())],
  (t, name, list, draws) => {
    const keyed = list.map((one) => ({ one, key: draws.next().value ?? 0 }));
    const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
    t.deepEqual(mergeLayoutRules(name, shuffled), mergeLayoutRules(name, list));
  },
  repeated(2_000),
);

testProp(
  'combineLayoutRules, is associative and the same as merging all at once',
  [format, given, given, given],
  (t, name, a, b, c) => {
    const [x, y, z] = [a, b, c].map((list) => mergeLayoutRules(name, list));
    const all = mergeLayoutRules(name, [...a, ...b, ...c]);
    t.deepEqual(combineLayoutRules(combineLayoutRules(x, y), z), all);
    t.deepEqual(combineLayoutRules(x, combineLayoutRules(y, z)), all);
  },
  repeated(2_000),
);

testProp(
  'mergeLayoutRules, is idempotent: what is said twice counts once',
  [format, given],
  (t, name, list) => {
    const merged = mergeLayoutRules(name, list);
    t.deepEqual(mergeLayoutRules(name, [...list, ...list]), merged);
    t.deepEqual(combineLayoutRules(merged, merged), merged);
  },
  repeated(2_000),
);

testProp(
  'mergeLayoutRules, is monotone: a further participant lowers no minimum and raises no limit',
  [format, given, given],
  (t, name, list, more) => {
    const before = mergeLayoutRules(name, list);
    const after = mergeLayoutRules(name, [...list, ...more]);
    for (const key of Object.keys(before) as (keyof typeof before)[]) {
      const old = before[key];
      const now = after[key];
      if (typeof old?.value !== 'number' || typeof now?.value !== 'number') continue;
      if (now.operator === 'lcm') t.is(now.value % old.value, 0, key);
      else if (now.operator === 'max') t.true(now.value >= old.value, key);
      else t.true(now.value <= old.value, key);
    }
    t.pass();
  },
  repeated(1_000),
);

/** What does not depend on the order, and is compared. */
function answerOf(result: LayoutResult): unknown {
  return JSON.parse(JSON.stringify(result));
}

testProp(
  'negotiateLayout, gives the same answer, conflicts and repairs in any order of participants',
  [roundImage, participants],
  (t, asked, list) => {
    const one = negotiateLayout({ image: asked, participants: list });
    const other = negotiateLayout({ image: asked, participants: list.toReversed() });
    t.deepEqual(answerOf(other), answerOf(one));
  },
  repeated(1_500),
);

for (const [what, images] of [
  ['any size', image],
  ['sizes that suit many', roundImage],
] as const) {
  testProp(
    `negotiateLayout, finds what trying everything finds, and at the same cost, for ${what}`,
    [images, participants],
    (t, asked, list) => {
      const result = negotiateLayout({ image: asked, participants: list });
      const { best } = modelNegotiation(asked, list);
      if (result.status !== 'agreed') {
        t.is(best, undefined, result.prose);
        return;
      }
      t.deepEqual({ leftOut: result.leftOut.length, cost: Math.round(result.cost.total * 1e6) }, best);
    },
    repeated(1_000),
  );
}

testProp(
  'negotiateLayout, is monotone: who joins lowers neither stride nor size nor count, and mends nothing',
  [roundImage, participants, participants],
  (t, asked, list, more) => {
    const plain = (c: LayoutConstraints): LayoutConstraints => ({
      device: c.device,
      options: c.options.slice(0, 1).map(({ prefers: _, ...option }) => option),
    });
    const few = list.map(plain);
    const joined = [...few, ...more.filter((c) => !few.some((one) => one.device === c.device)).map(plain)];
    // In one format and modifier, as the cheapest of several may well change for a smaller one.
    const narrow = { ...asked, formats: asked.formats?.slice(0, 1), modifiers: ['LINEAR'] };
    const before = negotiateLayout({ image: narrow, participants: few });
    const after = negotiateLayout({ image: narrow, participants: joined });
    if (after.status !== 'agreed') {
      t.pass();
      return;
    }
    if (before.status !== 'agreed') {
      t.fail(before.prose);
      return;
    }
    t.true(after.planes[0].strideBytes >= before.planes[0].strideBytes);
    t.true(after.sizeBytes >= before.sizeBytes);
    t.true(after.buffers >= before.buffers);
    t.true(after.candidates.length >= before.candidates.length);
  },
  repeated(1_000),
);

testProp(
  'negotiateLayout, names conflicts that are unsatisfiable and of which every proper subset is satisfiable',
  [roundImage, participants],
  (t, asked, list) => {
    const mandatory = list.map((c) => ({ ...c, optional: false }));
    const result = negotiateLayout({ image: asked, participants: mandatory });
    if (result.status !== 'unsatisfiable') {
      t.pass();
      return;
    }
    t.true(result.conflicts.length > 0);
    for (const { facts, devices } of result.conflicts) {
      t.is(statusWith(asked, mandatory, facts), 'unsatisfiable');
      t.deepEqual(devices, [...new Set(facts.map((fact) => fact.device))]);
      for (const left of facts) {
        t.is(
          statusWith(
            asked,
            mandatory,
            facts.filter((fact) => fact !== left),
          ),
          'agreed',
        );
      }
    }
    for (const devices of result.participantConflicts) {
      const only = (names: readonly string[]): string =>
        negotiateLayout({
          image: { ...asked, modifiers: modifiersOf(mandatory) },
          participants: mandatory.filter((c) => names.includes(c.device)),
        }).status;
      t.is(only(devices), 'unsatisfiable');
      for (const left of devices) t.is(only(devices.filter((name) => name !== left)), 'agreed');
    }
  },
  repeated(500),
);

/** The modifiers under consideration stay those of the whole problem. */
function modifiersOf(list: readonly LayoutConstraints[]): string[] {
  const named = list.flatMap((c) =>
    c.options.flatMap((option) => (option.formats ?? []).flatMap((one) => one.modifiers ?? ['INVALID'])),
  );
  return [...new Set(['LINEAR', ...named.filter((modifier) => modifier !== '*')])];
}

/** The status of the problem with only some of its facts, built from the constraints anew. */
function statusWith(
  asked: { widthPixels: number; heightPixels: number; formats?: readonly string[] },
  list: readonly LayoutConstraints[],
  facts: readonly LayoutFact[],
): string {
  const keeps = (c: LayoutConstraints, index: number, field: string, formatName?: string): boolean =>
    facts.some(
      (fact) =>
        fact.device === c.device &&
        fact.field === field &&
        fact.format === formatName &&
        (c.options.length === 1 || fact.option === `#${index + 1}`),
    );
  const reduced = list.map((c) => ({
    device: c.device,
    options: c.options.map((option, index) => {
      const pick = (from: LayoutRules | undefined, formatName?: string): LayoutRules => ({
        ...Object.fromEntries(
          Object.entries(from ?? {}).filter(([field]) => field !== 'planes' && keeps(c, index, field, formatName)),
        ),
        planes: from?.planes?.map((plane, place) =>
          Object.fromEntries(
            Object.entries(plane).filter(([field]) => keeps(c, index, `planes[${place}].${field}`, formatName)),
          ),
        ),
      });
      const entries = Object.entries(option.counts ?? {}).filter(([field]) => keeps(c, index, field));
      const supports = (option.formats ?? []).map((one) => ({
        format: one.format,
        modifiers: keeps(c, index, 'modifiers', one.format) ? modifiersWith(one, option) : ['*'],
        rules: pick(one.rules, one.format),
      }));
      const others = (asked.formats ?? []).filter((name) => !supports.some((one) => one.format === name));
      // Without the demand that the list bounds it, it takes any format.
      const open = keeps(c, index, 'formats') ? [] : others.map((name) => ({ format: name, modifiers: ['*'] }));
      return {
        formats: option.formats === undefined ? undefined : [...supports, ...open],
        rules: pick(option.rules),
        counts: Object.fromEntries(entries),
        implicitDomain: keeps(c, index, 'implicitDomain') ? option.implicitDomain : undefined,
      };
    }),
  }));
  return negotiateLayout({ image: { ...asked, modifiers: modifiersOf(list) }, participants: reduced }).status;
}

function modifiersWith(one: { modifiers?: readonly string[] }, option: LayoutOption): readonly string[] {
  return one.modifiers ?? (option.implicitIsLinear ? ['LINEAR', 'INVALID'] : ['INVALID']);
}

testProp(
  'negotiateLayout, offers sizes, alternatives and larger pools that do work when they are asked for',
  [roundImage, participants, participants],
  (t, asked, list, others) => {
    const withAlternatives = list.map((c) => ({
      ...c,
      alternatives: others.find((o) => o.device === c.device)?.options,
    }));
    const result = negotiateLayout({ image: asked, participants: withAlternatives });
    if (result.status !== 'unsatisfiable') {
      t.pass();
      return;
    }
    for (const repair of result.repairs) {
      const { widthPixels, heightPixels } = repair.kind === 'size' ? repair : asked;
      const mended = withAlternatives.map((c): LayoutConstraints => {
        if (repair.kind === 'option' && repair.device === c.device) {
          const index = Number(repair.to.slice(1)) - 1 - c.options.length;
          return { ...c, options: [c.alternatives?.[index] ?? {}] };
        }
        if (repair.kind !== 'raise-max') return c;
        return {
          ...c,
          options: c.options.map((option) => ({
            ...option,
            counts: option.counts && { ...option.counts, max: Math.max(option.counts.max ?? 0, repair.to) },
          })),
        };
      });
      if (!['size', 'option', 'raise-max'].includes(repair.kind)) continue;
      const again = negotiateLayout({ image: { ...asked, widthPixels, heightPixels }, participants: mended });
      if (again.status !== 'agreed') {
        t.fail(`${repair.change}: ${again.prose}`);
        return;
      }
      t.is(again.planes[0].strideBytes, repair.result.strideBytes, repair.change);
      t.is(again.buffers, repair.result.buffers, repair.change);
    }
    t.pass();
  },
  repeated(700),
);
