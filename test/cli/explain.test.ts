import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Explanation } from "../../src/cli/explain.ts";
import { analysisText, LATENCY, PLAN, QUALITY, useFolder } from "./recordings.ts";
import { run } from "./run.ts";

const file = useFolder();
const BATCH = fileURLToPath(new URL("../../analyses/batch-eval.yaml", import.meta.url));
const ERRORS = "{ name: failures, kind: errors, source: s, query: { value: v }, margin: 2pp }";

async function explain(plan: string, metrics: readonly string[], ...options: string[]): Promise<string> {
  const { code, out, err } = await run([
    "explain",
    "-f",
    await file("a.yaml", analysisText(plan, ...metrics)),
    ...options,
  ]);
  expect(code, err).toBe(0);
  return out;
}

async function explained(plan: string, metrics: readonly string[], ...options: string[]): Promise<Explanation> {
  return JSON.parse(await explain(plan, metrics, ...options, "--output", "json")) as Explanation;
}

test("what is in force is printed with every default, and what no budget binds is said", async () => {
  const { code, out } = await run(["explain", "-f", BATCH, "--units", "500"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^batch-eval: Judges an offline evaluation/);
  expect(out).toMatch(
    /quality +score +critical +task +lower +0\.25 points +0\.25 points +– +mean, body \(superiority 0\.0625\)/,
  );
  expect(out).toMatch(/failures +rate is worse +rollback +1\.88%/);
  expect(out).toMatch(/Between none and the margin no budget binds/);
});

test("the claims of harm add up to the rollback budget, and each claim of safety has the whole promote budget", async () => {
  const limited = LATENCY.replace("}, margin", "}, limit: { p95: { max: 4s } }, margin");
  const { claims } = await explained(PLAN, [QUALITY, ERRORS, limited]);
  const shares = (budget: string) => claims.flatMap((claim) => (claim.budget === budget ? [claim.share] : []));
  expect(shares("rollback").reduce((sum, share) => sum + share, 0)).toBeCloseTo(0.05, 12);
  expect(new Set(shares("promote"))).toEqual(new Set([0.05]));
  expect(claims.map(({ claim }) => claim)).toContain("p95 max 4 is breached");
});

test("a burn limit is named by its windows, with its share and what it takes to hold", async () => {
  const burn = "limit: { burn: { objective: 99.95%, windows: [{ rate: 20, long: 1h, short: 5m }] } }";
  const limited = `{ name: e, kind: errors, source: s, ${burn}, query: { events: x, exposure: y } }`;
  const plan = "{ mode: scheduled, duration: 1h, every: 1m }";
  const { claims, spending, detectability } = await explained(plan, [limited]);
  const name = "burn of 99.95% over 1h and 5m max 20";
  expect(claims.filter(({ claim }) => claim.startsWith("burn")).map(({ claim, share }) => [claim, share])).toEqual([
    [`${name} is breached`, expect.closeTo(0.05 / 3, 12)],
    [`${name} holds`, 0.05],
  ]);
  expect(spending.rollback).toMatch(/a burn limit, whose windows slide, has at each look what that look adds$/);
  // The last of sixty looks adds 2 (Φ(−1.96) − Φ(−1.96 / √(59/60))) = 0.00190 to the spend of 5 %; ln 0.00190 / ln 0.99 = 623.3.
  expect(detectability[0]?.notes.join("\n")).toMatch(/over 1h and 5m: 624 events in the long window/);
});

test("an advisory metric spends nothing", async () => {
  const { claims } = await explained(PLAN, [QUALITY, LATENCY.replace("margin", "tier: advisory, margin")]);
  expect(claims.filter(({ metric }) => metric === "latency").map(({ budget }) => budget)).toEqual(
    Array(4).fill("none"),
  );
});

test("looks follow the plan: after the warm-up and the follow-up, then at every step to the end", async () => {
  const plan = "{ mode: scheduled, duration: 30m, every: 5m, warmup: 2m, followUp: 5m, settle: 30s }";
  const timed = QUALITY.replace(/query: \{ (value: \w+)/, "query: { $1, at: at");
  const { looks, spending } = await explained(plan, [timed]);
  expect(looks.edges).toEqual([720, 1020, 1320, 1620, 1800]);
  expect(looks).toMatchObject({ count: 5, settleSeconds: 30 });
  expect(looks.fractions.at(-1)).toBe(1);
  expect(spending.rollback).toMatch(/alpha spending/);
  expect(await explain(plan, [timed])).toMatch(
    /looks +5: evidence up to 12m, 17m, 22m, 27m, 30m after the start, each look 30s later/,
  );
});

test("one look at one metric detects what the textbook formula says", async () => {
  const plan = "{ mode: once }";
  const { detectability } = await explained(
    plan,
    [QUALITY.replace("margin: 0.5", "margin: 0.5, guard: 0.01")],
    "--units",
    "200",
  );
  const [quarter] = detectability[0]?.cases ?? [];
  // (z(0.05) + z(0.8))^2 * 2 sd^2 / 0.5^2 with sd 1.
  expect(quarter?.unitsToProveSafe).toBeCloseTo((1.6449 + 0.8416) ** 2 * 8, 1);
  // The mean has a third of the budget: (z(0.05 / 3) + z(0.8)) * sd * sqrt(2 / 200).
  expect(quarter?.detects).toBeCloseTo((2.128 + 0.8416) * 0.1, 3);
});

test("looking often costs units, and looking without an end costs more", async () => {
  const cost = async (plan: string) =>
    (await explained(plan, [QUALITY])).detectability[0]?.cases[0]?.unitsToProveSafe ?? 0;
  const [once, scheduled, continuous] = [
    await cost("{ mode: once }"),
    await cost(PLAN),
    await cost("{ mode: continuous, every: 5m, maxDuration: 6h }"),
  ];
  expect(scheduled).toBeGreaterThan(once);
  expect(scheduled).toBeLessThan(1.2 * once);
  expect(continuous).toBeGreaterThan(1.3 * once);
});

test("at the ends of the range the chances are the budgets", async () => {
  const { detectability } = await explained("{ mode: once }", [ERRORS.replace("2pp", "2pp, guard: 0.01pp")]);
  const chances = detectability[0]?.chances ?? [];
  expect(chances[0]).toMatchObject({
    margins: 0,
    safe: expect.closeTo(0.8, 3) as number,
    rollback: expect.closeTo(0.05, 3) as number,
  });
  expect(chances.find(({ margins }) => margins === 1)).toMatchObject({ safe: expect.closeTo(0.05, 3) as number });
});

test("where the spread is not known it says so, and too few units or steps are named", async () => {
  const text = await explain(PLAN, [LATENCY, ERRORS], "--units", "20");
  expect(text).toMatch(/how far units differ is not known before the baseline is seen: touchstone calibrate/);
  expect(text).toMatch(
    /20 units per arm prove an unchanged mean safe as long as their standard deviation is below [\d.]+% of the mean/,
  );
  expect(text).toMatch(/20 units per arm are fewer than the 30 needed: failures could never promote/);
  const steps = "{ name: load, kind: gauge, unit: step, source: s, query: { series: a } }";
  expect(await explain("{ mode: once, duration: 5m }", [steps])).toMatch(
    /a run holds 5 steps, fewer than the 9 needed: load could never decide/,
  );
});

test.each<[string, string[], number, RegExp]>([
  ["no file", [], 64, /required option '-f, --file <analysis.yaml>' not specified/],
  ["a file that is not there", ["-f", "absent.yaml"], 69, /absent\.yaml cannot be read/],
  ["units that are no number", ["-f", BATCH, "--units", "many"], 64, /--units.*must be a whole number from 1 to/],
  ["an output that there is not", ["-f", BATCH, "--output", "html"], 64, /Allowed choices are table, json/],
])("%s ends with a code and the fault", async (_, args, code, message) => {
  expect(await run(["explain", ...args])).toMatchObject({
    code,
    out: "",
    err: expect.stringMatching(message) as string,
  });
});
