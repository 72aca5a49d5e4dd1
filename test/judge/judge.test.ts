import { describe, expect, test } from "vitest";
import { judge } from "../../src/judge/judge.ts";
import type { Watch } from "../../src/judge/watch.ts";
import type { ArmAnswer } from "../../src/judge/gathered.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import { Report, type Run } from "../../src/model/run.ts";
import {
  analysisWith,
  answer,
  counts,
  DEAD,
  draw,
  gather,
  histogram,
  lognormal,
  rows,
  scores,
  series,
  toBuckets,
} from "./samples.ts";

const NOW = "2026-11-20T09:00:00.000Z";

const runOf = (analysis: Analysis): Run => ({
  id: "run_1",
  analysis,
  analysisDigest: analysisDigest(analysis),
  baseline: { label: "v1" },
  candidate: { label: "v2" },
  window: null,
  args: {},
  rollout: null,
});

function reportOf(analysis: Analysis, ...arms: (readonly [ArmAnswer, ArmAnswer])[]): Report {
  const { report, state } = judge(runOf(analysis), gather(analysis, arms), null, NOW);
  expect(Report.parse(JSON.parse(canonicalJson(report)))).toEqual(report);
  expect(state).toMatchObject({ v: 2, looks: 1, metrics: {} });
  expect(report.summary.startsWith(`${report.verdict}: `)).toBe(true);
  return report;
}

const QUALITY = "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v } }";
const LATENCY = "- { name: latency, kind: latency, margin: 10%, tailMargin: 50%, source: s, query: { value: v } }";
const ERRORS = "- { name: errors, kind: errors, margin: 2pp, source: s, query: { value: v } }";
const COST = "- { name: cost, kind: cost, margin: 15%, tailMargin: 50%, source: s, query: { value: v } }";

const good = scores(0.03, 0.07, 0.15, 0.35, 0.4);
const bad = scores(0.08, 0.14, 0.22, 0.32, 0.24);
const share = (p: number) => (random: () => number) => (random() < p ? 1 : 0);

test("a watch sees every metric and test within the judgement, and changes nothing", () => {
  const analysis = analysisWith(`${QUALITY}\n${LATENCY}`);
  const arms = [
    [rows(draw(1, 200, good)), rows(draw(2, 200, bad))],
    [DEAD, DEAD],
  ] as const;
  const seen: string[] = [];
  let depth = 0;
  const watch: Watch = (part, name, work) => {
    seen.push(`${"  ".repeat(depth)}${part} ${name}`);
    depth += 1;
    const done = work();
    depth -= 1;
    return done;
  };
  const run = runOf(analysis);
  const gathered = gather(analysis, arms);
  const watched = judge(run, gathered, null, NOW, { watch });
  expect(canonicalJson(watched.report)).toBe(canonicalJson(judge(run, gathered, null, NOW).report));
  expect(seen).toEqual(["metric quality", "  test mean", "  test body", "  test named tests", "metric latency"]);
});

describe("one metric", () => {
  test("a worse score rolls back with the numbers in the summary", () => {
    const report = reportOf(analysisWith(QUALITY), [rows(draw(1, 600, good)), rows(draw(2, 600, bad))]);
    expect(report.verdict).toBe("rollback");
    expect(report.findings[0]?.finding).toBe("worse");
    expect(report.reasons.map(({ code }) => code)).toEqual(["critical_metric_worse"]);
    expect(report.summary).toMatch(
      /^rollback: quality 3\.\d+ vs [34]\.?\d* \(−0\.\d+, interval −0\.\d+ to −0\.\d+; margin 0\.25\)$/,
    );
    expect(report.rollbackTarget).toEqual({ label: "v1" });
    expect(report.findings[0]?.effect?.scale).toBe("points");
  });

  test("an equal score with enough units promotes", () => {
    const report = reportOf(analysisWith(QUALITY), [rows(draw(1, 600, good)), rows(draw(9, 600, good))]);
    expect(report.verdict).toBe("promote");
    expect(report.findings[0]?.finding).toBe("safe");
    expect(report.reasons.map(({ code }) => code)).toEqual(["all_safe"]);
    expect(report.rollbackTarget).toBeNull();
    expect(report.score).toBeGreaterThan(95);
  });

  test("a better score is called better", () => {
    expect(
      reportOf(analysisWith(QUALITY), [rows(draw(1, 900, bad)), rows(draw(2, 900, good))]).findings[0]?.finding,
    ).toBe("better");
  });

  test("a difference that the sample cannot exclude pauses: not significant is not safe", () => {
    const report = reportOf(analysisWith(QUALITY), [rows(draw(1, 40, good)), rows(draw(3, 40, good))]);
    expect(report.verdict).toBe("pause");
    expect(report.reasons[0]?.code).toBe("not_proven_safe");
    expect(report.findings[0]?.forecast?.units).toBeGreaterThan(0);
    expect(report.summary).toMatch(/about \d+ more sessions per arm would probably decide/);
  });

  test("a mean that rises while most answers get worse is not promoted", () => {
    // An attack on an LLM judge: a minority of answers scores perfectly, the majority drops.
    const baseline = draw(1, 800, scores(0.05, 0.15, 0.6, 0.15, 0.05));
    const attacked = draw(2, 800, scores(0.05, 0.55, 0, 0, 0.4));
    const report = reportOf(analysisWith(QUALITY), [rows(baseline), rows(attacked)]);
    const [quality] = report.findings;
    expect(quality?.components.find(({ component }) => component === "mean")?.effect.estimate).toBeGreaterThan(0);
    expect(report.verdict).not.toBe("promote");
  });

  test("a slower candidate rolls back, a faster one promotes", () => {
    const baseline = rows(draw(1, 1500, lognormal(2, 0.5)));
    expect(reportOf(analysisWith(LATENCY), [baseline, rows(draw(2, 1500, lognormal(2.4, 0.5)))]).verdict).toBe(
      "rollback",
    );
    const faster = reportOf(analysisWith(LATENCY), [baseline, rows(draw(2, 1500, lognormal(1.7, 0.5)))]);
    expect(faster.verdict).toBe("promote");
    expect(faster.findings[0]?.finding).toBe("better");
  });

  test("a tail that grows while the median stays put rolls back", () => {
    const random = draw(9, 4000, share(0.05));
    const candidate = draw(2, 4000, lognormal(2, 0.5)).map((value, index) => value * (random[index] === 1 ? 4 : 1));
    const report = reportOf(analysisWith(LATENCY), [rows(draw(1, 4000, lognormal(2, 0.5))), rows(candidate)]);
    const worse = report.findings[0]?.components
      .filter((component) => component.worse)
      .map(({ component }) => component);
    expect(report.verdict).toBe("rollback");
    expect(worse).toContain("tail");
    expect(worse).not.toContain("body");
  });

  test("four times the errors roll back, an equal share with enough sessions promotes", () => {
    expect(
      reportOf(analysisWith(ERRORS), [rows(draw(1, 600, share(0.02))), rows(draw(2, 600, share(0.08)))]).verdict,
    ).toBe("rollback");
    expect(
      reportOf(analysisWith(ERRORS), [rows(draw(1, 3000, share(0.02))), rows(draw(2, 3000, share(0.02)))]).verdict,
    ).toBe("promote");
  });

  test("no error among few sessions is not yet safe", () => {
    const report = reportOf(analysisWith(ERRORS), [rows(draw(1, 60, share(0))), rows(draw(2, 60, share(0)))]);
    expect(report.verdict).toBe("pause");
    expect(reportOf(analysisWith(ERRORS), [rows(draw(1, 400, share(0))), rows(draw(2, 400, share(0)))]).verdict).toBe(
      "promote",
    );
  });

  test("rows of one session are one unit, however many there are", () => {
    // Twelve sessions in all: their hundred rows each would prove anything.
    const sessionsOf = (seed: number, label: string) => {
      const levels = draw(seed, 6, lognormal(2, 0.5));
      const values = levels.flatMap((level) => Array.from({ length: 100 }, () => level));
      return rows(
        values,
        levels.flatMap((_, session) => Array.from({ length: 100 }, () => `${label}${session}`)),
      );
    };
    const report = reportOf(analysisWith(LATENCY), [sessionsOf(1, "b"), sessionsOf(4, "c")]);
    expect(report.findings[0]?.units).toEqual({ baseline: 6, candidate: 6 });
    expect(report.verdict).toBe("pause");
  });

  test("fewer than five units prove nothing, five fully separated ones may prove harm", () => {
    const few = reportOf(analysisWith(LATENCY), [rows([1, 1.1, 1.2, 1.3]), rows([5, 5.1, 5.2, 5.3])]);
    expect(few.verdict).toBe("pause");
    expect(few.reasons[0]?.code).toBe("too_few_units");
    const five = reportOf(analysisWith(LATENCY), [rows([1, 1.1, 1.2, 1.3, 1.4]), rows([5, 5.1, 5.2, 5.3, 5.4])]);
    expect(five.findings[0]?.finding).toBe("worse");
    expect(five.findings[0]?.components[0]?.pWorse).toBeCloseTo(1 / 252, 10);
  });

  test("four units beside hundreds prove harm only when nothing but harm explains them", () => {
    const many = rows(draw(3, 400, lognormal(1, 0.5)));
    const ordinary = [0.29, 0.43, 0.45, 0.72].map((value) => value * 0.9);
    const some = reportOf(analysisWith(LATENCY), [rows(ordinary), many]);
    // An error budget would do with this; a version should not be rolled back for it.
    expect(some.findings[0]?.components[0]?.pWorse).toBeLessThan(0.0125);
    expect(some.findings[0]?.finding).toBe("unclear");
    expect(some.reasons[0]?.code).toBe("too_few_units");
    const apart = reportOf(analysisWith(LATENCY), [rows([0.18, 0.19, 0.2, 0.21]), many]);
    expect(apart.findings[0]?.finding).toBe("worse");
  });

  test.each([
    ["a ratio", "margin: 10%", (value: number) => value * 0.2, -0.8],
    ["a difference", "margin: 500ms", (value: number) => value - 3, -3],
  ])("%s over strata is estimated where it lies, however far from no effect", (_, margin, change, effect) => {
    const strata = (values: readonly number[]): ArmAnswer =>
      answer({
        shape: "samples",
        values: Float64Array.from(values),
        units: null,
        unitNames: [],
        at: null,
        strata: Int32Array.from(values, (__, row) => row % 2),
        stratumNames: ["easy", "hard"],
      });
    const baseline = Array.from(draw(4, 400, lognormal(5, 0.8)), (value, row) => 4 + value * (1 + (row % 2)));
    const analysis = analysisWith(
      LATENCY.replace("margin: 10%", margin).replace("query: { value: v }", "query: { value: v, stratum: s }"),
    );
    const { findings } = reportOf(analysis, [strata(baseline), strata(baseline.map(change))]);
    const body = findings[0]?.components.find(({ component }) => component === "body");
    expect(body?.method).toMatch(/adjusted to one mix of 2 strata$/);
    expect(body?.effect.estimate).toBeCloseTo(effect, 2);
    expect(findings[0]?.finding).toMatch(/^(?:better|safe)$/);
  });

  test("thirty identical scores prove nothing about a quarter of a point, a thousand do", () => {
    const same = (n: number) => rows(Array.from({ length: n }, () => 5));
    expect(reportOf(analysisWith(QUALITY), [same(30), same(30)]).verdict).toBe("pause");
    expect(reportOf(analysisWith(QUALITY), [same(1000), same(1000)]).verdict).toBe("promote");
  });

  test("identical data never roll back", () => {
    for (const metric of [QUALITY, LATENCY, ERRORS, COST]) {
      for (const n of [5, 40, 700]) {
        const values =
          metric === ERRORS
            ? draw(1, n, share(0.1))
            : metric === QUALITY
              ? draw(1, n, good)
              : draw(1, n, lognormal(1, 1));
        expect(reportOf(analysisWith(metric), [rows(values), rows(values)]).verdict).not.toBe("rollback");
      }
    }
  });

  test("worse: either finds a change in both directions and is safe only by equivalence", () => {
    const either = "- { name: length, kind: gauge, worse: either, margin: 10%, source: s, query: { value: v } }";
    const baseline = rows(draw(1, 800, lognormal(100, 0.3)));
    expect(reportOf(analysisWith(either), [baseline, rows(draw(2, 800, lognormal(80, 0.3)))]).verdict).toBe("rollback");
    expect(reportOf(analysisWith(either), [baseline, rows(draw(2, 800, lognormal(125, 0.3)))]).verdict).toBe(
      "rollback",
    );
    expect(reportOf(analysisWith(either), [baseline, rows(draw(3, 800, lognormal(100, 0.3)))]).verdict).toBe("promote");
  });

  test("swapping the arms mirrors the effect", () => {
    const [a, b] = [rows(draw(1, 300, lognormal(2, 0.5))), rows(draw(2, 300, lognormal(2.2, 0.5)))];
    const forward = reportOf(analysisWith(LATENCY), [a, b]).findings[0]?.components[0]?.effect.estimate ?? 0;
    const backward = reportOf(analysisWith(LATENCY), [b, a]).findings[0]?.components[0]?.effect.estimate ?? 0;
    expect((1 + forward) * (1 + backward)).toBeCloseTo(1, 9);
  });

  test("the measurement unit of the source changes nothing", () => {
    const baseline = draw(1, 300, lognormal(2, 0.5));
    const candidate = draw(2, 300, lognormal(2.3, 0.5));
    const seconds = reportOf(analysisWith(LATENCY), [rows(baseline), rows(candidate)]);
    const milliseconds = reportOf(
      analysisWith(LATENCY.replace("latency, margin", "latency, measurementUnit: ms, margin")),
      [rows(baseline.map((v) => v * 1000)), rows(candidate.map((v) => v * 1000))],
    );
    expect(milliseconds.verdict).toBe(seconds.verdict);
    for (const [index, component] of (seconds.findings[0]?.components ?? []).entries()) {
      expect(milliseconds.findings[0]?.components[index]?.pWorse).toBeCloseTo(component.pWorse, 9);
    }
  });
});

describe("limits", () => {
  const LIMITED = (tier: string, extra = "") =>
    `- { name: latency, kind: latency, margin: 50%, tailMargin: 300%, tier: ${tier}, limit: { p95: { max: 4s${extra} } }, source: s, query: { value: v } }`;
  const inside = rows(draw(1, 1000, lognormal(1, 0.4)));

  test("a limit proven to be breached by the candidate alone rolls back", () => {
    const report = reportOf(analysisWith(LIMITED("critical")), [inside, rows(draw(2, 1000, lognormal(3, 0.6)))]);
    expect(report.verdict).toBe("rollback");
    expect(report.reasons.map(({ code }) => code)).toContain("critical_limit_breached");
  });

  test("a limit that the baseline breaches too pauses", () => {
    const slow = (seed: number) => rows(draw(seed, 1000, lognormal(3, 0.6)));
    const report = reportOf(analysisWith(LIMITED("critical")), [slow(1), slow(2)]);
    expect(report.verdict).toBe("pause");
    expect(report.reasons.map(({ code }) => code)).toContain("baseline_unhealthy");
  });

  test("a limit that is not proven to hold keeps from promoting, one that holds does not", () => {
    const near = (seed: number) => rows(draw(seed, 1000, lognormal(1.48, 0.57)));
    const open = reportOf(analysisWith(LIMITED("required")), [near(1), near(2)]);
    expect(open.verdict).toBe("pause");
    expect(open.reasons.map(({ code }) => code)).toContain("limit_not_proven");
    expect(reportOf(analysisWith(LIMITED("required")), [inside, rows(draw(2, 1000, lognormal(1, 0.4)))]).verdict).toBe(
      "promote",
    );
  });

  test("check: point compares the plain value outside the budgets", () => {
    const report = reportOf(analysisWith(LIMITED("required", ", check: point")), [
      inside,
      rows(draw(2, 1000, lognormal(1, 0.4))),
    ]);
    expect(report.findings[0]?.limits[0]).toMatchObject({
      check: "point",
      state: "holds",
      pHolds: null,
      alphaBreached: null,
    });
  });

  test("an instant query is judged by its limit", () => {
    const instant =
      '- { name: up, kind: gauge, limit: { value: { min: "0.5 x", check: point } }, measurementUnit: x, source: s, query: { instant: up } }';
    expect(reportOf(analysisWith(instant), [series([1]), series([1])]).verdict).toBe("promote");
    expect(reportOf(analysisWith(instant), [series([1]), series([0])]).verdict).toBe("rollback");
  });
});

describe("several metrics", () => {
  const equalQuality = [rows(draw(1, 600, good)), rows(draw(3, 600, good))] as const;
  const equalLatency = [rows(draw(1, 1500, lognormal(2, 0.5))), rows(draw(5, 1500, lognormal(2, 0.5)))] as const;
  const slower = [rows(draw(1, 1500, lognormal(2, 0.5))), rows(draw(5, 1500, lognormal(2.6, 0.5)))] as const;

  test("all safe promotes and names the metric that is closest to its margin", () => {
    const report = reportOf(analysisWith(`${QUALITY}\n${LATENCY}`), equalQuality, equalLatency);
    expect(report.verdict).toBe("promote");
    expect(report.summary).toMatch(/^promote: all 2 metrics are safe; closest to its margin: /);
  });

  test("a required metric that is worse rolls back under any and pauses under critical-only", () => {
    const metrics = `${QUALITY}\n${LATENCY}`;
    expect(reportOf(analysisWith(metrics), equalQuality, slower).reasons.map(({ code }) => code)).toEqual([
      "required_metric_worse",
    ]);
    const paused = reportOf(analysisWith(metrics, "policy: critical-only"), equalQuality, slower);
    expect(paused.verdict).toBe("pause");
    expect(paused.reasons.map(({ code }) => code)).toEqual(["worse_under_critical_only"]);
  });

  test("an advisory metric decides nothing", () => {
    const report = reportOf(
      analysisWith(`${QUALITY}\n${LATENCY.replace("source", "tier: advisory, source")}`),
      equalQuality,
      slower,
    );
    expect(report.findings[1]?.finding).toBe("worse");
    expect(report.verdict).toBe("promote");
  });

  test("a dead source never promotes and never rolls back, and the others still decide", () => {
    const metrics = `${QUALITY}\n${LATENCY}`;
    const paused = reportOf(analysisWith(metrics), equalQuality, [DEAD, DEAD]);
    expect(paused.verdict).toBe("pause");
    expect(paused.reasons).toEqual([
      {
        code: "source_error",
        metric: "latency",
        text: expect.stringMatching(/prometheus answered 503 \(source_unavailable\)/),
      },
    ]);
    const harmed = reportOf(analysisWith(metrics), [rows(draw(1, 600, good)), rows(draw(2, 600, bad))], [DEAD, DEAD]);
    expect(harmed.verdict).toBe("rollback");
  });

  test("a catastrophic critical metric rolls back while another metric is in doubt", () => {
    const report = reportOf(
      analysisWith(`${QUALITY.replace("margin: 0.25", "margin: 0.25, catastrophic: 1")}\n${LATENCY}`),
      [rows(draw(1, 300, good)), rows(draw(2, 300, scores(0.6, 0.3, 0.1)))],
      [DEAD, DEAD],
    );
    expect(report.verdict).toBe("rollback");
    expect(report.reasons[0]?.code).toBe("critical_metric_catastrophic");
  });
});

describe("a series with a history", () => {
  const plain = "- { name: p50, kind: latency, source: s, unit: step, query: { series: v } }";
  const known = (deviation: string) =>
    analysisWith(plain.replace("step,", `step, history: { stepDeviation: ${deviation}, runs: 30 },`));
  const minutes = (seed: number, n: number, factor: number) =>
    series(draw(seed, n, (random) => factor * Math.exp(0.1 * (random() - 0.5))));
  const slow = [minutes(1, 9, 1), minutes(2, 9, 1.07)] as const;

  test("nine steps are too few to know how much they vary, and enough with a history", () => {
    expect(reportOf(analysisWith(plain), slow).verdict).toBe("pause");
    const report = reportOf(known("4%"), slow);
    expect(report.verdict).toBe("rollback");
    const [component] = report.findings[0]?.components ?? [];
    expect(component?.method).toBe("log ratio per step, paired by step, t with the variance of 30 earlier runs");
    expect(report.findings[0]?.warnings).toEqual([]);
  });

  test("a history that these steps contradict is not used, and that is told", () => {
    const wild = series(Array.from({ length: 40 }, (_, i) => (i % 20 < 10 ? 1 : 1.6)));
    const report = reportOf(known("1%"), [minutes(3, 40, 1), wild]);
    expect(report.findings[0]?.warnings).toEqual([
      "the steps vary more than their history says; the variance is taken from this run alone, as without a history",
    ]);
    const { components, finding } = reportOf(analysisWith(plain), [minutes(3, 40, 1), wild]).findings[0] ?? {};
    expect(report.findings[0]).toMatchObject({ components, finding });
  });

  test("fewer steps than the plan's least prove nothing, history or not", () => {
    const report = reportOf(known("4%"), [minutes(1, 8, 1), minutes(2, 8, 1.3)]);
    expect(report.verdict).toBe("pause");
    expect(report.findings[0]?.finding).toBe("unclear");
  });
});

describe("faulty evidence", () => {
  const equal = draw(1, 400, good);

  test.each<[string, ArmAnswer, string, string]>([
    ["an empty candidate", rows([]), "no_data", "no_data"],
    ["a score outside its scale", rows([...equal, 7]), "invalid", "invalid"],
    [
      "a value that is no number",
      answer(
        {
          shape: "samples",
          values: Float64Array.from(equal),
          units: null,
          unitNames: [],
          at: null,
          strata: null,
          stratumNames: [],
        },
        [{ kind: "not_a_number", count: 1, example: '"12abc"' }],
      ),
      "invalid",
      "invalid",
    ],
    ["a dead source", DEAD, "source_error", "source_error"],
    ["another shape", series([1, 2, 3]), "invalid", "invalid"],
  ])("%s pauses", (_, candidate, finding, code) => {
    const report = reportOf(analysisWith(QUALITY), [rows(equal), candidate]);
    expect(report.verdict).toBe("pause");
    expect(report.findings[0]?.finding).toBe(finding);
    expect(report.reasons.map((reason) => reason.code)).toEqual([code]);
    expect(report.score).toBe(0);
  });

  test("a tolerated share of missing values is left out and told", () => {
    const withGaps = answer(
      {
        shape: "samples",
        values: Float64Array.from(draw(3, 600, good)),
        units: null,
        unitNames: [],
        at: null,
        strata: null,
        stratumNames: [],
      },
      [{ kind: "missing", count: 6, example: '""' }],
    );
    const strict = reportOf(analysisWith(QUALITY), [rows(draw(1, 600, good)), withGaps]);
    expect(strict.reasons[0]?.text).toBe(
      'quality: 6 of 606 rows of the candidate are not usable values (6 missing, first "")',
    );
    const tolerant = reportOf(analysisWith(QUALITY.replace("margin", "maxInvalidFraction: 2%, margin")), [
      rows(draw(1, 600, good)),
      withGaps,
    ]);
    expect(tolerant.verdict).toBe("promote");
    expect(tolerant.findings[0]?.warnings).toEqual([
      'candidate: 6 of 606 rows (0.99%) are left out: 6 missing, first ""',
    ]);
    expect(tolerant.findings[0]?.arms?.candidate.invalid).toBe(6);
  });

  test("arms in different measurement units are a scale mismatch, not a regression", () => {
    const seconds = draw(1, 300, lognormal(0.2, 0.3));
    const report = reportOf(analysisWith(LATENCY), [rows(seconds), rows(draw(2, 300, lognormal(200, 0.3)))]);
    expect(report.verdict).toBe("pause");
    expect(report.reasons.map(({ code }) => code)).toEqual(["scale_mismatch"]);
  });

  test("a distribution that moved towards worse beyond the margin blocks promotion", () => {
    // Typical value and mean agree; a quarter of the answers is much slower, another quarter much faster.
    const SHAPE = "- { name: latency, kind: latency, margin: 10%, components: [body], source: s, query: { value: v } }";
    const report = reportOf(analysisWith(SHAPE), [
      rows(draw(1, 2000, lognormal(2, 0.1))),
      rows(draw(2, 2000, lognormal(2, 0.8))),
    ]);
    expect(report.verdict).toBe("pause");
    expect(report.reasons.map(({ code }) => code)).toContain("shape_changed");
  });
});

describe("evidence by steps", () => {
  const GAUGE = "- { name: cpu, kind: gauge, margin: 10%, source: s, query: { series: x } }";
  const noisy = (level: number) => (random: () => number) => level * (1 + 0.1 * (random() - 0.5));

  test("a gauge that runs higher rolls back, an equal one promotes", () => {
    expect(
      reportOf(analysisWith(GAUGE), [series(draw(1, 60, noisy(50))), series(draw(2, 60, noisy(60)))]).verdict,
    ).toBe("rollback");
    expect(
      reportOf(analysisWith(GAUGE), [series(draw(1, 60, noisy(50))), series(draw(2, 60, noisy(50)))]).verdict,
    ).toBe("promote");
  });

  test("too few steps and steps that only drift prove nothing", () => {
    const few = reportOf(analysisWith(GAUGE), [series(draw(1, 6, noisy(50))), series(draw(2, 6, noisy(80)))]);
    expect(few.verdict).toBe("pause");
    expect(few.reasons[0]?.code).toBe("too_few_units");
    const drift = Array.from({ length: 60 }, (_, step) => 50 + step);
    const still = Array.from({ length: 60 }, () => 50);
    expect(reportOf(analysisWith(GAUGE), [series(still), series(drift)]).reasons[0]?.code).toBe("too_few_units");
  });

  test("a shock that meets both arms in the same minute cancels", () => {
    const shock = draw(7, 60, lognormal(1, 0.5));
    const arm = (seed: number) => series(draw(seed, 60, noisy(50)).map((value, step) => value * (shock[step] ?? 1)));
    expect(reportOf(analysisWith(GAUGE.replace("gauge", "latency")), [arm(1), arm(2)]).verdict).toBe("promote");
  });

  const COUNTS = "- { name: errors, kind: errors, margin: 1pp, source: s, query: { events: e, exposure: n } }";
  const step = (p: number) => (random: () => number) =>
    [Array.from({ length: 200 }, random).filter((u) => u < p).length, 200] as const;
  const drawSteps = (seed: number, p: number) => {
    const list: (readonly [number, number])[] = [];
    draw(seed, 30, (random) => list.push(step(p)(random)));
    return counts(list);
  };

  test("counters of errors roll back and promote", () => {
    expect(reportOf(analysisWith(COUNTS), [drawSteps(1, 0.01), drawSteps(2, 0.04)]).verdict).toBe("rollback");
    expect(reportOf(analysisWith(COUNTS), [drawSteps(1, 0.01), drawSteps(2, 0.01)]).verdict).toBe("promote");
  });

  test("errors that come in one burst are worth less than as many alone", () => {
    const burst = counts(Array.from({ length: 30 }, (_, index) => [index === 10 ? 60 : 2, 200] as const));
    const even = counts(Array.from({ length: 30 }, () => [4, 200] as const));
    const p = (candidate: ArmAnswer) =>
      reportOf(analysisWith(COUNTS), [drawSteps(1, 0.01), candidate]).findings[0]?.components[0]?.pWorse ?? 0;
    expect(p(burst)).toBeGreaterThan(10 * p(even));
  });

  const EDGES = [0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 12, Infinity];
  const HISTOGRAM =
    "- { name: latency, kind: latency, margin: 10%, tailMargin: 50%, source: s, query: { histogram: h } }";
  const drawHistogram = (seed: number, median: number, edges: readonly number[] = EDGES) => {
    const values = draw(seed, 30 * 200, lognormal(median, 0.5));
    return histogram(
      edges,
      Array.from({ length: 30 }, (_, index) => toBuckets(values.slice(200 * index, 200 * (index + 1)), edges)),
    );
  };

  test("a histogram that moved rolls back with about the right factor, an equal one promotes", () => {
    const slower = reportOf(analysisWith(HISTOGRAM), [drawHistogram(1, 2), drawHistogram(2, 2.5)]);
    expect(slower.verdict).toBe("rollback");
    expect(slower.findings[0]?.components[0]?.effect.estimate).toBeCloseTo(0.25, 1);
    expect(reportOf(analysisWith(HISTOGRAM), [drawHistogram(1, 2), drawHistogram(3, 2)]).verdict).toBe("promote");
  });

  test("histograms with different buckets are compared on those that both have, or not at all", () => {
    const finer = drawHistogram(3, 2, [0.25, 0.5, 0.6, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 8, 12, Infinity]);
    const merged = reportOf(analysisWith(HISTOGRAM), [drawHistogram(1, 2), finer]);
    expect(merged.verdict).toBe("promote");
    expect(merged.findings[0]?.warnings).toEqual([
      "the arms have different buckets; they are compared on the 13 that both have",
    ]);
    expect(merged.findings[0]?.components).toEqual(
      reportOf(analysisWith(HISTOGRAM), [drawHistogram(1, 2), drawHistogram(3, 2)]).findings[0]?.components,
    );
    const foreign = reportOf(analysisWith(HISTOGRAM), [drawHistogram(1, 2), drawHistogram(3, 2, [20, Infinity])]);
    expect(foreign.reasons.map(({ code }) => code)).toEqual(["bucket_mismatch"]);
  });

  test("buckets so coarse that one holds nearly everything do not promote", () => {
    const coarse = (seed: number) =>
      histogram(
        [10, 20, Infinity],
        Array.from({ length: 30 }, (_, step) =>
          toBuckets(draw(100 * seed + step, 200, lognormal(2, 0.5)), [10, 20, Infinity]),
        ),
      );
    const report = reportOf(analysisWith(HISTOGRAM), [coarse(1), coarse(2)]);
    expect(report.verdict).toBe("pause");
    expect(report.reasons[0]?.text).toMatch(/buckets are too coarse: \d+% of all values lie in one/);
  });

  test("counters that stood still are no data", () => {
    const report = reportOf(analysisWith(COUNTS), [
      drawSteps(1, 0.01),
      counts(Array.from({ length: 30 }, () => [0, 0] as const)),
    ]);
    expect(report.reasons[0]).toMatchObject({ code: "no_data", text: "errors: the candidate had no traffic" });
  });
});

test("equal input gives an equal report, byte for byte, and other input another digest", () => {
  const analysis = analysisWith(`${QUALITY}\n${LATENCY}\n${ERRORS}\n${COST}`);
  const arms = (seed: number): (readonly [ArmAnswer, ArmAnswer])[] => [
    [rows(draw(1, 300, good)), rows(draw(seed, 300, good))],
    [rows(draw(1, 300, lognormal(2, 0.5))), rows(draw(seed, 300, lognormal(2, 0.5)))],
    [rows(draw(1, 300, share(0.1))), rows(draw(seed, 300, share(0.1)))],
    [rows(draw(1, 300, lognormal(1, 1))), rows(draw(seed, 300, lognormal(1, 1)))],
  ];
  const once = reportOf(analysis, ...arms(2));
  expect(canonicalJson(reportOf(analysis, ...arms(2)))).toBe(canonicalJson(once));
  expect(reportOf(analysis, ...arms(3)).evidence.digest).not.toBe(once.evidence.digest);
});
