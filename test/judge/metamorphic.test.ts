import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge, type Judged } from "../../src/judge/judge.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import type { ComponentFinding, Finding } from "../../src/model/finding.ts";
import { toStoredState } from "../../src/model/look-state.ts";
import type { Report } from "../../src/model/run.ts";
import type { SampleRows, Samples } from "../../src/model/samples.ts";
import { seeded } from "../../src/stats/random.ts";
import { FORMS, type Change, type Form } from "./forms.ts";
import { play, START_SECONDS, type RecordedPair } from "./play.ts";
import { analysisWith } from "./samples.ts";

/**
 * What must stay as it is, or must change in a known way, when the evidence is changed in a known way: for every kind of metric and every shape, looked at once
 * and looked at again and again.
 */

const MODES = ["once", "scheduled"] as const;
type Mode = (typeof MODES)[number];

/** Twenty minutes, so that there are twenty steps. */
const SECONDS = 1200;

interface Case {
  readonly seed: number;
  readonly size: number;
  readonly change: Change;
  readonly named: boolean;
  readonly strata: boolean;
}

const plan = (mode: Mode, every = "5m") =>
  mode === "once"
    ? "plan: { mode: once }"
    : `plan: { mode: scheduled, duration: 20m, every: ${every}, settle: 0s, followUp: 60s }`;

const metricOf = (form: Form, name: string, extra = "", per = 1) =>
  `- { name: ${name}, source: s, ${form.yaml(per)}${extra} }`;

const analysisOf = (form: Form, mode: Mode, extra = "", per = 1) =>
  analysisWith(metricOf(form, "m", extra, per), plan(mode));

function drawPair(form: Form, { seed, size, change, named, strata }: Case, per = 1): RecordedPair {
  const arm = { size, named, strata, seconds: SECONDS, per };
  return {
    baseline: form.draw(seeded(seed, 1), "equal", arm),
    candidate: form.draw(seeded(seed, 2), change, arm),
  };
}

const caseOf = (changes: readonly Change[]): fc.Arbitrary<Case> =>
  fc.record({
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    size: fc.integer({ min: 8, max: 160 }),
    change: fc.constantFrom(...changes),
    named: fc.boolean(),
    strata: fc.boolean(),
  });

const ALL: readonly Change[] = ["equal", "worse", "better", "crossing"];

/** Cases of each property for each form and mode; as many as the environment says. */
const RUNS = Number(process.env["TOUCHSTONE_PROPERTY_RUNS"] ?? 2);

const TABLE = FORMS.flatMap((form) =>
  MODES.map((mode) => [`${form.kind} as ${form.shape}${form.variant ?? ""}, ${mode}`, form, mode] as const),
);

const swapped = ({ baseline, candidate }: RecordedPair): RecordedPair => ({ baseline: candidate, candidate: baseline });

function findingOf({ report }: Judged): Finding {
  const [finding] = report.findings;
  if (finding === undefined) throw new Error("a report has a finding for each metric");
  return finding;
}

/** The look that would have ended the run, or the last. */
const decisive = (looks: readonly Judged[]): Judged => {
  const decided = looks.find(({ report }) => report.verdict !== null) ?? looks.at(-1);
  if (decided === undefined) throw new Error("there is always a look");
  return decided;
};

/** A factor of nothing, or without end, has no inverse: zeros against positive values are shown as one doubling, or as nothing left. */
const hasNoInverse = (value: number, scale: string) => scale === "relative" && value <= -0.99;

/** A number and its mirror image differ by no more than the root finders leave: bounds are sought to a millionth of a standard error. */
const CLOSE = 2e-5;
const near = (a: number, b: number) => Math.abs(a - b) <= CLOSE * (1 + Math.abs(a));

/**
 * The mirror image of an effect: a factor becomes its inverse, a difference its opposite. The tail forgives the margin to one arm only, and a histogram's factor is
 * read off the arm that is the baseline: neither has an exact mirror image.
 */
const mirror = (value: number, scale: string) => (scale === "relative" ? 1 / (1 + value) - 1 : -value);
const hasMirror = ({ component }: ComponentFinding, { shape }: Form) => component !== "tail" && shape !== "histogram";

describe("swapping the arms", () => {
  test.each(TABLE)("mirrors estimates and intervals: %s", async (_, form, mode) => {
    const analysis = analysisOf(form, mode, ", worse: either");
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const pair = drawPair(form, one);
        const [there, back] = [await play(analysis, [pair]), await play(analysis, [swapped(pair)])];
        for (const [look, judged] of there.entries()) {
          const other = findingOf(back[look] ?? judged);
          for (const [index, component] of findingOf(judged).components.entries()) {
            const image = other.components[index];
            if (!hasMirror(component, form) || image === undefined) continue;
            const { estimate, lower, upper, scale } = component.effect;
            const name = `${component.component} at look ${look + 1}`;
            if (!hasNoInverse(estimate, scale) && !hasNoInverse(image.effect.estimate, scale))
              expect(
                near(image.effect.estimate, mirror(estimate, scale)),
                `${name}: ${estimate} has its mirror image, ${image.effect.estimate}`,
              ).toBe(true);
            expect(
              near(image.pWorse, component.pWorse),
              `${name}: the p-value of no change, ${component.pWorse}, is the same, ${image.pWorse}`,
            ).toBe(true);
            for (const [a, b] of [
              [lower, image.effect.upper],
              [upper, image.effect.lower],
            ] as const) {
              if (a === null || b === null || hasNoInverse(a, scale) || hasNoInverse(b, scale)) continue;
              expect(near(b, mirror(a, scale)), `${name}: ${a} has its mirror image, ${b}`).toBe(true);
            }
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  test.each(TABLE)("never leaves a metric worse both ways: %s", async (_, form, mode) => {
    const analysis = analysisOf(form, mode);
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const pair = drawPair(form, one);
        const [there, back] = [await play(analysis, [pair]), await play(analysis, [swapped(pair)])];
        for (const [look, judged] of there.entries()) {
          const both = [findingOf(judged).finding, findingOf(back[look] ?? judged).finding];
          expect(both).not.toEqual(["worse", "worse"]);
        }
      }),
      { numRuns: 2 * RUNS },
    );
  });
});

test.each(TABLE)("identical data never rolls back: %s", async (_, form, mode) => {
  const analysis = analysisOf(form, mode);
  await fc.assert(
    fc.asyncProperty(caseOf(["equal"]), fc.boolean(), async (one, renamed) => {
      const { baseline } = drawPair(form, one);
      const candidate =
        renamed && baseline.shape === "samples"
          ? { ...baseline, unitNames: baseline.unitNames.map((name) => `other ${name}`) }
          : baseline;
      for (const { report } of await play(analysis, [{ baseline, candidate }])) {
        expect(report.decision).not.toBe("rollback");
        expect(report.findings[0]?.finding).not.toBe("worse");
        for (const { pWorse } of report.findings[0]?.components ?? []) expect(pWorse).toBeGreaterThan(0.4);
      }
    }),
    { numRuns: RUNS },
  );
});

test.each(TABLE.filter(([, { kind }]) => kind !== "errors"))(
  "another measurement unit changes no decision: %s",
  async (_, form, mode) => {
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const [plain, fine] = await Promise.all(
          [1, 1000].map((per) => play(analysisOf(form, mode, "", per), [drawPair(form, one, per)])),
        );
        if (plain === undefined || fine === undefined) throw new Error("both were played");
        for (const [look, judged] of plain.entries()) {
          const { report } = fine[look] ?? judged;
          expect(report.decision).toBe(judged.report.decision);
          expect(report.reasons.map(({ code }) => code)).toEqual(judged.report.reasons.map(({ code }) => code));
          const other = report.findings[0];
          expect(other?.finding).toBe(findingOf(judged).finding);
          for (const [index, { pWorse, pUnsafe }] of findingOf(judged).components.entries()) {
            expect(near(other?.components[index]?.pWorse ?? Number.NaN, pWorse)).toBe(true);
            expect(near(other?.components[index]?.pUnsafe ?? Number.NaN, pUnsafe)).toBe(true);
          }
        }
      }),
      { numRuns: RUNS },
    );
  },
);

/** The same rows in another order. */
function shuffled(samples: SampleRows, seed: number): SampleRows {
  const random = seeded(seed);
  const order = Array.from(samples.values, (_, row) => ({ row, key: random() })).sort((a, b) => a.key - b.key);
  const pick = <T extends Float64Array | Int32Array>(column: T): T => {
    const result = column.slice() as T;
    for (const [place, { row }] of order.entries()) result[place] = column[row] ?? 0;
    return result;
  };
  return {
    ...samples,
    values: pick(samples.values),
    units: samples.units === null ? null : pick(samples.units),
    at: samples.at === null ? null : pick(samples.at),
    strata: samples.strata === null ? null : pick(samples.strata),
  };
}

/** All that a report says but the digest, which names the bytes that were judged. */
const withoutDigest = (report: Report): string =>
  canonicalJson({ ...report, evidence: { ...report.evidence, digest: "" } });

test.each(TABLE.filter(([, { shape }]) => shape === "samples"))(
  "the order of rows changes no byte but the digest's: %s",
  async (_, form, mode) => {
    const analysis = analysisOf(form, mode);
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const pair = drawPair(form, one);
        await play(analysis, [pair], {
          onLook: (run, gathered, previous, now, judged) => {
            const other = gathered.map((pairOfArms) => ({
              ...pairOfArms,
              baseline: inAnotherOrder(pairOfArms.baseline, 1),
              candidate: inAnotherOrder(pairOfArms.candidate, 2),
            }));
            const again = judge(run, other, previous, now, { keepState: true });
            expectSameBytes(withoutDigest(again.report), withoutDigest(judged.report));
          },
        });
      }),
      { numRuns: RUNS },
    );
  },
);

/** Compared as text, since bytes are what counts; shown as objects, since people read it. */
function expectSameBytes(text: string, expected: string): void {
  if (text === expected) return;
  expect(JSON.parse(text)).toEqual(JSON.parse(expected));
  expect(text).toBe(expected);
}

type Arm = Parameters<typeof judge>[1][number]["baseline"];

function inAnotherOrder(arm: Arm, seed: number): Arm {
  if (arm.kind !== "answer" || arm.answer.samples.shape !== "samples") return arm;
  return { kind: "answer", answer: { ...arm.answer, samples: shuffled(arm.answer.samples, seed) } };
}

test("the order of counted rows without times changes no byte but the digest's", () => {
  const analysis = analysisWith(
    "- { name: m, source: s, kind: errors, margin: 2pp, query: { events: e, exposure: n } }",
  );
  const run = {
    id: "run_1",
    analysis,
    analysisDigest: "",
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window: null,
    args: {},
    rollout: null,
  };
  const counted = (list: readonly (readonly [number, number])[]): Arm => ({
    kind: "answer",
    answer: {
      samples: {
        shape: "counts",
        stepSeconds: 0,
        timed: false,
        at: Float64Array.from(list, (_, index) => index),
        events: Float64Array.from(list, ([events]) => events),
        exposure: Float64Array.from(list, ([, exposure]) => exposure),
      },
      faults: [],
      warnings: [],
    },
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 9, max: 40 }), (seed, batches) => {
      const random = seeded(seed);
      const draw = () =>
        Array.from({ length: batches }, () => {
          const exposure = 20 + Math.floor(80 * random());
          return [Math.floor(0.3 * exposure * random()), exposure] as const;
        });
      const [baseline, candidate] = [draw(), draw()];
      const [plain, reversed] = [
        [baseline, candidate],
        [baseline.toReversed(), candidate.toReversed()],
      ].map(([b = [], c = []]) =>
        judge(
          run,
          analysis.metrics.map((metric) => ({ metric, baseline: counted(b), candidate: counted(c) })),
          null,
          "2026-11-20T09:00:00.000Z",
        ),
      );
      if (plain === undefined || reversed === undefined) throw new Error("both were judged");
      expectSameBytes(withoutDigest(reversed.report), withoutDigest(plain.report));
    }),
    { numRuns: 4 * RUNS },
  );
});

/** No rows, no steps. */
function emptied(samples: Samples): Samples {
  const none = new Float64Array(0);
  switch (samples.shape) {
    case "samples":
      return {
        ...samples,
        values: none,
        units: samples.units === null ? null : new Int32Array(0),
        at: none,
        strata: null,
      };
    case "series":
      return { ...samples, at: none, values: none };
    case "counts":
      return { ...samples, at: none, events: none, exposure: none };
    case "histogram":
      return { ...samples, at: none, counts: none };
  }
}

test.each(TABLE)("removing the cited data changes the reason: %s", async (_, form, mode) => {
  const others: Form[] = FORMS.filter(
    ({ shape, kind }) => shape === "samples" && (kind === "score" || kind === "latency"),
  );
  const analysis = analysisWith(
    [metricOf(form, "m0"), ...others.map((other, index) => metricOf(other, `m${index + 1}`))].join("\n"),
    plan(mode),
  );
  await fc.assert(
    fc.asyncProperty(caseOf(ALL), caseOf(ALL), caseOf(["equal"]), async (first, second, third) => {
      const cases = [first, second, third];
      const pairs = [form, ...others].map((each, index) => drawPair(each, cases[index] ?? first));
      const { report } = decisive(await play(analysis, pairs));
      const [cited] = report.reasons;
      if (cited === undefined) throw new Error("every decision has a reason");
      // Where all are cited, each is.
      const index = cited.metric === null ? 0 : analysis.metrics.findIndex(({ name }) => name === cited.metric);
      const gone = pairs.map(({ baseline, candidate }, place) =>
        place === index ? { baseline: emptied(baseline), candidate: emptied(candidate) } : { baseline, candidate },
      );
      const without = decisive(await play(analysis, gone)).report;
      expect(without.reasons[0]).not.toEqual(cited);
      expect(without.decision === "rollback" && without.reasons.some(({ metric }) => metric === cited.metric)).toBe(
        false,
      );
      expect(without.decision).not.toBe("promote");
    }),
    { numRuns: RUNS },
  );
});

/** Every unit twice, the second time under another name, with the same rows at the same times. */
function twice(samples: Samples): Samples {
  if (samples.shape !== "samples") return samples;
  const double = <T extends Float64Array | Int32Array>(column: T, second = (value: number) => value): T => {
    const result = (
      column instanceof Float64Array ? new Float64Array(2 * column.length) : new Int32Array(2 * column.length)
    ) as T;
    for (const [row, value] of column.entries()) {
      result[2 * row] = value;
      result[2 * row + 1] = second(value);
    }
    return result;
  };
  const names = samples.unitNames;
  return {
    ...samples,
    values: double(samples.values),
    units: samples.units === null ? null : double(samples.units, (unit) => unit + names.length),
    unitNames: [...names, ...names.map((name) => `again ${name}`)],
    at: samples.at === null ? null : double(samples.at),
    strata: samples.strata === null ? null : double(samples.strata),
  };
}

test.each(TABLE.filter(([, { shape }]) => shape === "samples"))(
  "replicating units never unmakes worse or safe: %s",
  async (_, form, mode) => {
    const analysis = analysisOf(form, mode);
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const { baseline, candidate } = drawPair(form, one);
        const [plain, doubled] = [
          await play(analysis, [{ baseline, candidate }]),
          await play(analysis, [{ baseline: twice(baseline), candidate: twice(candidate) }]),
        ];
        // A claim of an earlier look is spent in the sense of alpha spending: what the run as a whole says is compared.
        const said = (looks: readonly Judged[]) => new Set(looks.map((look) => findingOf(look).finding));
        const [before, after] = [said(plain), said(doubled)];
        if (before.has("worse")) expect(after).toContain("worse");
        if (before.has("safe") || before.has("better")) expect(after.has("safe") || after.has("better")).toBe(true);
      }),
      { numRuns: 2 * RUNS },
    );
  },
);

test.each(TABLE)(
  "a look repeated changes no byte, and touches nothing that it was given: %s",
  async (_, form, mode) => {
    const analysis = analysisOf(form, mode);
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        await play(analysis, [drawPair(form, one)], {
          onLook: (run, gathered, previous, now, judged) => {
            const given = previous === null ? null : toStoredState(previous);
            const again = judge(run, gathered, previous, now, { keepState: true });
            expectSameBytes(canonicalJson(again.report), canonicalJson(judged.report));
            expectSameBytes(toStoredState(again.state), toStoredState(judged.state));
            expect(again.nextAt).toBe(judged.nextAt);
            expect(previous === null ? null : toStoredState(previous)).toBe(given);
            const brief = judge(run, gathered, previous, now, { keepState: true, detail: false });
            expect(brief.report.decision, "without detail").toBe(judged.report.decision);
          },
        });
      }),
      { numRuns: RUNS },
    );
  },
);

test.each(TABLE.filter(([, , mode]) => mode === "scheduled"))(
  "a state that went through the record gives the same bytes as one kept in memory: %s",
  async (_, form, mode) => {
    const analysis = analysisOf(form, mode);
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), async (one) => {
        const pair = drawPair(form, one);
        const [kept, carried] = [await play(analysis, [pair]), await play(analysis, [pair], { throughRecord: true })];
        for (const [look, judged] of kept.entries()) {
          const other = carried[look];
          if (other === undefined) throw new Error("as many looks");
          expectSameBytes(canonicalJson(other.report), canonicalJson(judged.report));
          expectSameBytes(toStoredState(other.state), toStoredState(judged.state));
        }
      }),
      { numRuns: RUNS },
    );
  },
);

/** What has been gathered, and what it shows before any budget is spent. */
const evidenceOf = ({ report }: Judged) =>
  report.findings.map(({ units, effectiveUnits, arms, components, tests }) => ({
    units,
    effectiveUnits,
    arms,
    tests,
    components: components.map(({ component, effect, pWorse, pUnsafe }) => ({
      component,
      estimate: effect.estimate,
      pWorse,
      pUnsafe,
    })),
  }));

async function expectSameEvidence(analyses: readonly Analysis[], pair: RecordedPair): Promise<void> {
  const ends = await Promise.all(analyses.map(async (analysis) => (await play(analysis, [pair])).at(-1)));
  const [first, ...others] = ends.map((end) => {
    if (end === undefined) throw new Error("there is always a look");
    return evidenceOf(end);
  });
  for (const other of others) expect(other).toEqual(first);
}

test.each(TABLE.filter(([, , mode]) => mode === "scheduled"))(
  "looks every minute and every five minutes end with the same evidence: %s",
  async (_, form) => {
    const analyses = ["1m", "5m"].map((every) => analysisWith(metricOf(form, "m"), plan("scheduled", every)));
    await fc.assert(
      fc.asyncProperty(caseOf(ALL), (one) => expectSameEvidence(analyses, drawPair(form, one))),
      { numRuns: RUNS },
    );
  },
);

test("a session that lasts longer than followUp is still one unit, however the looks are split", async () => {
  // Sixty sessions a minute apart; each comes back seven minutes after its first turn.
  const session = (arm: string, factor: number): Samples => {
    const turns = Array.from({ length: 600 }, (_, index) => index).flatMap((unit) =>
      [0, 420].map((later) => ({
        unit,
        at: START_SECONDS + 1 + unit + later,
        value: factor * (1 + ((unit * 7) % 10)),
      })),
    );
    turns.sort((a, b) => a.at - b.at);
    return {
      shape: "samples",
      values: Float64Array.from(turns, ({ value }) => value),
      units: Int32Array.from(turns, ({ unit }) => unit),
      unitNames: Array.from({ length: 600 }, (_, unit) => `${arm} ${unit}`),
      at: Float64Array.from(turns, ({ at }) => at),
      strata: null,
      stratumNames: [],
    };
  };
  const metric = "- { name: m, source: s, kind: latency, query: { value: v, at: t, unit: u } }";
  for (const every of ["1m", "5m", "20m"]) {
    const looks = await play(analysisWith(metric, plan("scheduled", every)), [
      { baseline: session("a", 1), candidate: session("b", 1.01) },
    ]);
    expect(looks.at(-1)?.report.findings[0]?.units, `looks every ${every}`).toEqual({ baseline: 600, candidate: 600 });
  }
});

test.each(FORMS)(
  "in a run without an end harm far beyond the margin asks for no smaller p-value than harm near it: $kind as $shape",
  async (form) => {
    const levels = async (change: Change) => {
      const analysis = analysisWith(
        metricOf(form, "m"),
        "plan: { mode: continuous, maxDuration: 20m, every: 20m, settle: 0s }",
      );
      const looks = await play(analysis, [
        drawPair(form, { seed: 5, size: 1500, change, named: false, strata: false }),
      ]);
      return looks.at(-1)?.report.findings[0]?.components.map(({ levelWorse }) => levelWorse ?? 0) ?? [];
    };
    const [near, far] = [await levels("equal"), await levels("worse")];
    expect(near.length).toBeGreaterThan(0);
    // Standard errors grow with the harm, so the levels differ a little.
    near.forEach((level, part) => expect(far[part]).toBeGreaterThan(level / 5));
  },
);
