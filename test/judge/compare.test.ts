import { describe, expect, test } from "vitest";
import type { Report } from "../../src/model/run.ts";
import { seeded } from "../../src/stats/random.ts";
import { FORMS, type Change } from "./forms.ts";
import { playRainbow, spread } from "./rainbow-play.ts";
import { analysisWith, lognormal } from "./samples.ts";

const SECONDS = 2400;
const PLANS = {
  once: "plan: { mode: once }",
  scheduled: "plan: { mode: scheduled, duration: 40m, minDuration: 40m, every: 10m, settle: 0s }",
};

async function lastReport(...args: Parameters<typeof playRainbow>): Promise<Report> {
  const report = (await playRainbow(...args)).at(-1)?.report;
  if (report === undefined) throw new RangeError("no look");
  return report;
}

describe.each(["once", "scheduled"] as const)("every kind in every shape, %s", (mode) => {
  test.each(FORMS)(
    "$kind as $shape: a version that is better is proven so, and one that is alike is not",
    async (form) => {
      const tier = form.kind === "gauge" ? "worse: higher, " : "";
      const analysis = analysisWith(`- { name: m, source: s, ${tier}${form.yaml(1)} }`, PLANS[mode]);
      const random = seeded(7);
      const drawn = (change: Change) => ({
        m: form.draw(random, change, { size: 1500, named: false, strata: false, seconds: SECONDS, per: 1 }),
      });
      const versions = { v1: drawn("worse"), v2: drawn("worse"), v3: drawn("equal"), v4: drawn("worse") };
      const { comparisons } = await lastReport(analysis, versions);
      const said = comparisons?.pairs.map(({ version, against, finding }) => `${version} ${finding} ${against}`);
      expect(said?.filter((text) => /better|worse/.test(text))).toEqual(["v3 better v2", "v4 worse v3"]);
      expect(comparisons?.pairs.every(({ metrics }) => metrics.every(({ reason }) => reason === null))).toBe(true);
    },
  );
});

const MEAN = (name: string) =>
  `- { name: ${name}, kind: gauge, worse: higher, margin: 10%, source: s, query: { value: v, at: at } }`;

/** Values around the middle whose mean is exactly this. */
const around = (middle: number, shift: number) =>
  spread(
    1,
    400,
    SECONDS,
    (() => {
      let row = 0;
      return () => middle + shift + ((row++ % 20) - 9.5) / 10;
    })(),
  );

test("the error is shared by all pairs, metrics and looks: what two candidates prove, four do not", async () => {
  // 400 values each, standard deviation 0.577: a difference of 0.1 is 2.45 standard errors, p 0.014.
  const metric = MEAN("level");
  const values = (shift: number) => ({ level: around(10, shift), other: around(10, shift) });
  const [v1, v2, v3] = [values(0.01), values(0), values(0.1)];
  const more = { v4: values(0.02), v5: values(0.03) };
  const finding = async (analysis: ReturnType<typeof analysisWith>, versions: Parameters<typeof playRainbow>[1]) =>
    (await lastReport(analysis, versions)).comparisons?.pairs[0]?.metrics[0];
  const one = analysisWith(metric, PLANS.once);
  expect(await finding(one, { v1, v2, v3 })).toMatchObject({ finding: "worse", withinMargin: true });
  expect(await finding(one, { v1, v2, v3, ...more })).toMatchObject({ finding: "equivalent" });
  const two = analysisWith(`${metric}\n${metric.replace("level", "other")}`, PLANS.once);
  expect(await finding(two, { v1, v2, v3 })).toMatchObject({ finding: "worse" });
  expect(await finding(two, { v1, v2, v3, v4: more.v4 })).toMatchObject({ finding: "equivalent" });
  expect(await finding(analysisWith(metric, PLANS.scheduled), { v1, v2, v3 })).toMatchObject({ finding: "equivalent" });
});

test("a policy by which required metrics do not roll back shares the error over them all the same", async () => {
  const metrics = `${MEAN("level").replace("gauge,", "gauge, tier: critical,")}\n${MEAN("other")}`;
  const values = (shift: number) => ({ level: around(10, shift), other: around(10, shift) });
  const versions = { v1: values(0.01), v2: values(0), v3: values(0.1) };
  const pairs = async (policy: string) =>
    (await lastReport(analysisWith(metrics, `policy: ${policy}\n  ${PLANS.once}`), versions)).comparisons?.pairs;
  expect(await pairs("critical-only")).toEqual(await pairs("any"));
});

test("a version whose typical value is worse and whose mean is better is neither", async () => {
  const analysis = analysisWith(
    "- { name: cost, kind: cost, margin: 10%, source: s, query: { value: v, at: at } }",
    PLANS.once,
  );
  const spreadOut = (seed: number) => ({ cost: spread(seed, 2000, SECONDS, lognormal(1, 0.8)) });
  const even = { cost: spread(4, 2000, SECONDS, lognormal(1.15, 0.05)) };
  const { comparisons, candidates } = await lastReport(analysis, { v1: spreadOut(1), v2: spreadOut(2), v3: even });
  expect(candidates?.[1]?.verdict).not.toBe("rollback");
  expect(comparisons?.pairs[0]?.metrics[0]).toMatchObject({ finding: "unclear", reason: { code: "conflicting" } });
});

test("equivalence in two metrics needs more proof in each than in one", async () => {
  // 1.8 standard errors inside the margin: p 0.036, below 0.05 and not below 0.05 / 2.
  const values = (shift: number) => ({ level: around(10, shift), other: around(10, shift) });
  const versions = { v1: values(0.46), v2: values(0), v3: values(0.923) };
  const withinMargin = async (metrics: string) =>
    (await lastReport(analysisWith(metrics, PLANS.once), versions)).comparisons?.pairs[0]?.metrics[0]?.withinMargin;
  expect(await withinMargin(MEAN("level"))).toBe(true);
  expect(await withinMargin(`${MEAN("level")}\n${MEAN("other")}`)).toBe(false);
});
