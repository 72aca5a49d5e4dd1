import { describe, expect, test } from "vitest";
import type { ArmAnswer } from "../../src/judge/gathered.ts";
import type { SampleRows, Samples } from "../../src/model/samples.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { toHtml } from "../../src/report/html.ts";
import { cuped } from "../../src/stats/cuped.ts";
import { predictionPoweredDifference } from "../../src/stats/prediction-powered.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { judgeOnce } from "./once.ts";
import { play, START_SECONDS } from "./play.ts";
import { analysisWith, answer, draw, scores } from "./samples.ts";

interface Row {
  readonly value: number;
  readonly unit?: string;
  readonly instrument?: string;
  readonly gold?: number | undefined;
  readonly covariate?: number;
  readonly traceUrl?: string;
}

/** Rows with the columns that the first of them has, one per half minute. */
function samplesOf(rows: readonly Row[], timed = false): SampleRows {
  const named = (key: "instrument" | "traceUrl" | "unit") => {
    const names = [...new Set(rows.map((row) => row[key] ?? ""))];
    return { codes: Int32Array.from(rows, (row) => names.indexOf(row[key] ?? "")), names };
  };
  const first = rows[0] ?? { value: 0 };
  const units = "unit" in first ? named("unit") : null;
  return {
    shape: "samples",
    values: Float64Array.from(rows, ({ value }) => value),
    units: units?.codes ?? null,
    unitNames: units?.names ?? [],
    at: timed ? Float64Array.from(rows, (_, row) => START_SECONDS + 30 * row) : null,
    strata: null,
    stratumNames: [],
    ...("instrument" in first ? { instruments: named("instrument") } : {}),
    ...("gold" in first ? { gold: Float64Array.from(rows, ({ gold }) => gold ?? Number.NaN) } : {}),
    ...("covariate" in first
      ? { covariates: Float64Array.from(rows, ({ covariate }) => covariate ?? Number.NaN) }
      : {}),
    ...("traceUrl" in first ? { traceUrls: named("traceUrl") } : {}),
  };
}

const rowsOf = (rows: readonly Row[]): ArmAnswer => answer(samplesOf(rows));
const SCORE = "kind: score, scale: [1, 5], margin: 0.25, query: { value: v, gold: g, instrument: i }";
const analysisOf = (metric: string, spec = "") => analysisWith(`- { name: m, source: s, ${metric} }`, spec);
const good = scores(0.03, 0.07, 0.15, 0.35, 0.4);

describe("the instrument", () => {
  const scored = (seed: number, n: number, instrument: (row: number) => string) =>
    draw(seed, n, good).map((value, row): Row => ({ value, instrument: instrument(row) }));

  test("one judge model for both arms is told apart from nothing", () => {
    const arm = (seed: number) => rowsOf(scored(seed, 400, () => "judge-1"));
    expect(judgeOnce(analysisOf(SCORE), [arm(1), arm(9)]).findings[0]?.finding).toBe("safe");
  });

  test("another judge model in the candidate makes the metric invalid, and both are named", () => {
    const report = judgeOnce(analysisOf(SCORE), [
      rowsOf(scored(1, 400, () => "judge-1")),
      rowsOf(scored(9, 400, (row) => (row < 300 ? "judge-1" : "judge-2"))),
    ]);
    expect(report.verdict).toBe("pause");
    expect(report.findings[0]).toMatchObject({ finding: "invalid", reasons: [{ code: "instrument_changed" }] });
    expect(report.findings[0]?.reasons[0]?.text).toBe(
      "m: the baseline was measured by judge-1 (400 rows), the candidate by judge-1 (300 rows), judge-2 (100 rows); values of different instruments cannot be compared",
    );
  });

  test("a judge model that changes between looks, in both arms at once, stays invalid to the end", async () => {
    const analysis = analysisOf(
      "kind: score, scale: [1, 5], margin: 0.25, query: { value: v, at: t, instrument: i }",
      "plan: { mode: scheduled, duration: 60m, every: 10m, settle: 0s }",
    );
    const arm = (seed: number): Samples =>
      samplesOf(
        scored(seed, 120, (row) => (row < 70 ? "judge-1" : "judge-2")),
        true,
      );
    const looks = await play(analysis, [{ baseline: arm(1), candidate: arm(9) }], { throughRecord: true });
    // The second judge scores from minute 35 on.
    const said = looks.map(({ report }) => report.findings[0]?.reasons[0]?.code === "instrument_changed");
    expect(said).toEqual([false, false, false, true, true, true]);
    expect(looks.at(-1)?.report.verdict).toBe("pause");
  });
});

describe("gold labels", () => {
  /** A judge that adds `favour` to what a person would say; one row in `every` is labelled. */
  function judged(seed: number, n: number, every: number, { favour = 0, noise = 0.4, shift = 0 } = {}): Row[] {
    const random = seeded(seed);
    return Array.from({ length: n }, (_, row) => {
      const truth = Math.min(5, Math.max(1, 3 + shift + 0.8 * standardNormal(random)));
      const value = Math.min(5, Math.max(1, truth + favour + noise * standardNormal(random)));
      return { value, gold: row % every === 0 ? truth : undefined };
    });
  }
  const armOf = (rows: readonly Row[]) => {
    const labelled = rows.filter(({ gold }) => gold !== undefined);
    return {
      labels: labelled.map(({ gold }) => gold ?? 0),
      judgedLabelled: labelled.map(({ value }) => value),
      judgedOnly: rows.filter(({ gold }) => gold === undefined).map(({ value }) => value),
    };
  };

  test("from twenty labels on the mean is the prediction-powered one, to the last digits", () => {
    const [b, c] = [judged(1, 600, 10), judged(2, 600, 10)];
    const [finding] = judgeOnce(analysisOf(SCORE), [rowsOf(b), rowsOf(c)]).findings;
    const mean = finding?.components.find(({ component }) => component === "mean");
    const known = predictionPoweredDifference(armOf(c), armOf(b), { alternative: "less" });
    expect(mean?.method).toMatch(/gold labels/);
    expect(mean?.effect.estimate).toBeCloseTo(known.estimate, 12);
    expect(mean?.pWorse).toBeCloseTo(known.p, 10);
    expect(finding?.warnings[0]).toMatch(/^judge and people agree with Krippendorff's alpha 0\.\d+ on 120 items$/);
    expect(finding?.components.map(({ component }) => component)).toEqual(["mean", "body"]);
  });

  test("looks in between lose no label", async () => {
    const analysis = analysisOf(
      "kind: score, scale: [1, 5], margin: 0.25, query: { value: v, at: t, gold: g }",
      "plan: { mode: scheduled, duration: 60m, every: 10m, settle: 0s }",
    );
    const [b, c] = [judged(1, 120, 4), judged(2, 120, 4)];
    const looks = await play(analysis, [{ baseline: samplesOf(b, true), candidate: samplesOf(c, true) }], {
      throughRecord: true,
    });
    const mean = looks.at(-1)?.report.findings[0]?.components.find(({ component }) => component === "mean");
    const known = predictionPoweredDifference(armOf(c), armOf(b));
    expect(mean?.effect.estimate).toBeCloseTo(known.estimate, 10);
    // Before the twentieth label the judge's own mean may not promote.
    expect(looks[1]?.report.findings[0]?.reasons.map(({ text }) => text)).toContain(
      "m: 10 gold labels in an arm, fewer than the 20 with which people's scores can correct the judge's",
    );
  });

  test("labelled scores are still found among all when those are rounded to stay small", async () => {
    const analysis = analysisOf(
      "kind: score, scale: [1, 5], margin: 0.25, query: { value: v, at: t, gold: g }",
      "plan: { mode: scheduled, duration: 60m, every: 10m, settle: 0s }",
    );
    const arm = (seed: number): Samples => {
      const samples = samplesOf(judged(seed, 9000, 90));
      return { ...samples, at: samples.values.map((_, row) => START_SECONDS + 0.4 * row) };
    };
    const looks = await play(analysis, [{ baseline: arm(1), candidate: arm(2) }], { throughRecord: true });
    expect(looks.at(-1)?.report.findings[0]?.components[0]?.method).toMatch(/gold labels/);
    expect(looks.at(-1)?.report.findings[0]?.warnings[0]).toMatch(/on 200 items$/);
  });

  test("a judge that favours the candidate is found out: its ranks are left out and the corrected mean decides", () => {
    // People see a drop of 0.6, the judge none.
    const [b, c] = [judged(1, 900, 3), judged(2, 900, 3, { favour: 0.6, shift: -0.6 })];
    const [finding] = judgeOnce(analysisOf(SCORE), [rowsOf(b), rowsOf(c)]).findings;
    expect(finding?.finding).toBe("worse");
    expect(finding?.components.map(({ component }) => component)).toEqual(["mean"]);
    expect(finding?.warnings.join()).toMatch(/the judge favours the candidate by 0\.\d+ points more than people do/);
    const blind = judgeOnce(analysisOf(SCORE), [
      rowsOf(b.map(({ value }) => ({ value }))),
      rowsOf(c.map(({ value }) => ({ value }))),
    ]);
    expect(blind.findings[0]?.finding).not.toBe("worse");
  });

  test("a judge that was right on every label may be wrong on the next", () => {
    const perfect = (): Row[] =>
      Array.from({ length: 400 }, (_, row) => ({ value: 4, gold: row < 30 ? 4 : undefined }));
    const [finding] = judgeOnce(analysisOf(SCORE), [rowsOf(perfect()), rowsOf(perfect())]).findings;
    expect(finding?.components.find(({ component }) => component === "mean")?.safe).toBe(false);
  });

  test("calibration: required keeps a judge that disagrees with people from promoting, by default it is told", () => {
    const arms = [rowsOf(judged(1, 3000, 5, { noise: 2.5 })), rowsOf(judged(2, 3000, 5, { noise: 2.5 }))] as const;
    const reported = judgeOnce(analysisOf(SCORE), arms);
    expect(reported.verdict).toBe("promote");
    expect(reported.findings[0]?.warnings[0]).toMatch(/a calibrated judge reaches 0\.667 on at least 50 items$/);
    const required = judgeOnce(analysisOf(`calibration: required, ${SCORE}`), arms);
    expect(required.verdict).toBe("pause");
    expect(required.reasons.map(({ code }) => code)).toEqual(["judge_uncalibrated"]);
  });

  test("calibration: required without a label says so, and harm is still found", () => {
    const [b, c] = [judged(1, 600, 1e9, {}), judged(2, 600, 1e9, { shift: -1 })].map((rows) =>
      rowsOf(rows.map(({ value }) => ({ value, gold: undefined }))),
    );
    if (b === undefined || c === undefined) throw new Error("there are two arms");
    const required = analysisOf(`calibration: required, ${SCORE}`);
    expect(judgeOnce(required, [b, c]).verdict).toBe("rollback");
    expect(judgeOnce(required, [b, b]).findings[0]?.reasons.at(-1)?.text).toBe(
      "m: no unit has a gold label, so that nothing shows whether the judge agrees with people",
    );
  });

  test("a label outside the scale makes the metric invalid", () => {
    const rows = judged(1, 40, 2).with(0, { value: 3, gold: 50 });
    expect(judgeOnce(analysisOf(SCORE), [rowsOf(rows), rowsOf(judged(2, 40, 2))]).findings[0]?.reasons[0]?.text).toBe(
      "m: 1 of 40 rows of the baseline have a gold label outside the scale 1 to 5, first 50",
    );
  });

  test("calibration without gold labels, and gold labels of anything but a score, are refused at load", () => {
    const load = (metric: string) =>
      readAnalysis(
        `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  metrics:\n  - { name: m, source: s, ${metric} }\n`,
        "the test",
      );
    expect(() => load("kind: score, scale: [1, 5], calibration: required, query: { value: v }")).toThrow(
      /query\.gold is missing: calibration is required/,
    );
    expect(() => load("kind: cost, query: { value: v, gold: g }")).toThrow(/query\.gold is for score metrics/);
    expect(() => load("kind: cost, query: { series: x, gold: g }")).toThrow(
      /holds gold, which does not go with series/,
    );
  });
});

describe("a covariate", () => {
  const drawn = (seed: number, n: number, factor: number): (Row & { covariate: number })[] => {
    const random = seeded(seed);
    return Array.from({ length: n }, () => {
      const covariate = Math.exp(0.6 * standardNormal(random));
      return { value: factor * (covariate + 0.2 * Math.abs(standardNormal(random))), covariate };
    });
  };
  const columns = (rows: readonly (Row & { covariate: number })[]) => ({
    values: rows.map(({ value }) => value),
    covariates: [rows.map(({ covariate }) => covariate)],
  });
  const COST = "kind: cost, components: [mean], query: { value: v, covariate: x }";

  test("takes away what it foretells: the difference is that of CUPED on the columns", () => {
    const [b, c] = [drawn(1, 300, 1), drawn(2, 200, 1)];
    const metric = `${COST}, measurementUnit: USD, margin: 0.1 USD`;
    const [finding] = judgeOnce(analysisOf(metric), [rowsOf(b), rowsOf(c)]).findings;
    const [mean] = finding?.components ?? [];
    const known = cuped(columns(c), columns(b), { pooledFloor: true, alternative: "greater" });
    expect(mean?.effect.estimate).toBeCloseTo(known.estimate, 12);
    expect(mean?.pWorse).toBeCloseTo(known.p, 10);
    expect(mean?.method).toMatch(/adjusted by a covariate \(CUPED, variance −9\d\.\d%\)/);
  });

  test("makes a margin provable that the plain mean cannot prove, and keeps Fieller's form for ratios", () => {
    const [b, c] = [drawn(51, 120, 1), drawn(52, 120, 1)];
    const metric = `${COST}, margin: 10%`;
    const plain = judgeOnce(analysisOf(metric), [
      rowsOf(b.map(({ value }) => ({ value }))),
      rowsOf(c.map(({ value }) => ({ value }))),
    ]);
    const adjusted = judgeOnce(analysisOf(metric), [rowsOf(b), rowsOf(c)]);
    expect(plain.findings[0]?.finding).toBe("unclear");
    expect(adjusted.findings[0]?.finding).toBe("safe");
    const [mean] = adjusted.findings[0]?.components ?? [];
    expect(mean?.effect.lower).toBeLessThan(mean?.effect.estimate ?? 0);
    expect(mean?.effect.upper).toBeGreaterThan(mean?.effect.estimate ?? 0);
  });

  test("that is missing for some units adjusts nothing, and that is told", () => {
    const [b, c] = [drawn(1, 100, 1), drawn(2, 100, 1)];
    const [finding] = judgeOnce(analysisOf(`${COST}, margin: 10%`), [
      rowsOf(b),
      rowsOf(c.map((row, index) => (index === 5 ? { ...row, covariate: Number.NaN } : row))),
    ]).findings;
    expect(finding?.warnings).toContain("1 session without a covariate: the mean is not adjusted by it");
  });
});

describe("trace links", () => {
  const LATENCY = "kind: latency, query: { value: v, unit: u, traceUrl: t }";
  const arm = (factor: number, prefix: string): Row[] =>
    draw(1, 200, (random) => factor * Math.exp(0.1 * standardNormal(random))).map((value, row) => ({
      value,
      unit: `${prefix}${row}`,
      traceUrl: row % 2 === 0 ? `https://traces.example/${prefix}${row}` : "",
    }));

  test("a metric that is worse lists the five worst candidate units that have one", () => {
    const candidate = arm(1.5, "c");
    const report = judgeOnce(analysisOf(LATENCY), [rowsOf(arm(1, "b")), rowsOf(candidate)]);
    const worst = candidate
      .filter(({ traceUrl }) => traceUrl !== "")
      .sort((a, b) => b.value - a.value)
      .slice(0, 5)
      .map(({ unit, value, traceUrl }) => ({ unit, value, traceUrl }));
    expect(report.findings[0]?.finding).toBe("worse");
    expect(report.findings[0]?.examples).toEqual(worst);
    expect(toHtml(report)).toContain(`<a href="${worst[0]?.traceUrl}" rel="noopener noreferrer nofollow">trace</a>`);
  });

  test("a metric that is not worse lists none, and what is no page is no link", () => {
    expect(judgeOnce(analysisOf(LATENCY), [rowsOf(arm(1, "b")), rowsOf(arm(1, "c"))]).findings[0]?.examples).toBeNull();
    const hostile = arm(1.5, "c").map((row) => ({ ...row, traceUrl: "javascript:alert(1)" }));
    expect(toHtml(judgeOnce(analysisOf(LATENCY), [rowsOf(arm(1, "b")), rowsOf(hostile)]))).not.toContain('href="java');
  });

  test("the worst of all looks are kept, whatever look they came at", async () => {
    const analysis = analysisOf(
      "kind: latency, query: { value: v, at: t, unit: u, traceUrl: x }",
      "plan: { mode: scheduled, duration: 60m, every: 10m, settle: 0s }",
    );
    const rows = (prefix: string, slow: (row: number) => boolean): Samples =>
      samplesOf(
        Array.from({ length: 120 }, (_, row): Row => ({
          value: (slow(row) ? 9 : 1) + row / 1000,
          unit: `${prefix}${row}`,
          traceUrl: `https://traces.example/${row}`,
        })),
        true,
      );
    const looks = await play(
      analysis,
      [{ baseline: rows("b", () => false), candidate: rows("c", (row) => row % 3 === 0) }],
      {
        throughRecord: true,
      },
    );
    const worst = looks.find(({ report }) => report.findings[0]?.finding === "worse");
    const units = worst?.report.findings[0]?.examples?.map(({ unit }) => unit);
    expect(units).toHaveLength(5);
    expect(units?.every((unit) => Number(unit?.slice(1)) % 3 === 0)).toBe(true);
  });
});
