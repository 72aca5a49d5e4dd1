import { expect, test } from "vitest";
import { TouchstoneError } from "../../src/errors.ts";
import type { Judged } from "../../src/judge/judge.ts";
import { readStoredState, toStoredState, type LookState } from "../../src/model/look-state.ts";
import type { Report } from "../../src/model/run.ts";
import { toHtml } from "../../src/report/html.ts";
import { toMarkdown } from "../../src/report/markdown.ts";
import { toText } from "../../src/report/text.ts";
import type { MetricSource } from "../../src/sources/source.ts";
import { playRainbow, spread, type Versions } from "./rainbow-play.ts";
import { analysisWith, lognormal, scores } from "./samples.ts";

const COST = "- { name: cost, kind: cost, margin: 10%, source: s, query: { value: v, at: at } }";
const QUALITY = "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v, at: at } }";
const ONCE = "plan: { mode: once }";
const SCHEDULED = "plan: { mode: scheduled, duration: 40m, every: 2m, settle: 0s }";
const CONTINUOUS = "plan: { mode: continuous, maxDuration: 40m, every: 2m, settle: 0s }";
const SECONDS = 2400;

/** A version whose costs are these times the usual ones, and whose scores are higher by `gain`. */
function version(seed: number, { cost = 1, gain = 0, size = 3000 } = {}) {
  return {
    cost: spread(seed, size, SECONDS, lognormal(cost, 0.5)),
    quality: spread(seed + 100, size, SECONDS, scores(0.05, 0.1, 0.2, 0.35 - gain, 0.3 + gain)),
  };
}

const both = (plan: string) => analysisWith(`${QUALITY}\n${COST}`, plan);

function lastReport(looks: readonly Judged[]): Report {
  const last = looks.at(-1);
  if (last === undefined) throw new RangeError("no look");
  return last.report;
}

const pairsOf = ({ comparisons }: Report) =>
  (comparisons?.pairs ?? []).map(({ version: one, against, finding, metrics }) => [
    `${one} against ${against}`,
    finding,
    ...metrics.map((metric) => `${metric.metric} ${metric.finding}`),
  ]);

test.each([ONCE, SCHEDULED])("a cheaper version is proven the best of the safe ones, %s", async (plan) => {
  const versions: Versions = {
    v1: version(1),
    v2: version(2),
    v3: version(3, { cost: 0.8 }),
    v4: version(4),
    v5: version(5, { cost: 1.5 }),
  };
  const report = lastReport(await playRainbow(both(plan), versions));
  expect(report.candidates?.map(({ verdict }) => verdict)).toEqual(["promote", "promote", "promote", "rollback"]);
  expect(report).toMatchObject({ best: "v3", comparisons: { unbeaten: ["v3"], error: 0.05 } });
  expect(pairsOf(report).map(([pair, finding]) => `${pair}: ${finding}`)).toEqual([
    "v3 against v2: better",
    expect.stringMatching(/^v4 against v2: (equivalent|unclear)$/),
    "v4 against v3: worse",
  ]);
  expect(report.comparisons?.pairs[0]?.text).toMatch(
    /^v3 against v2: proven better in cost \(typical value −\d+(\.\d)?%, interval .+; equivalent in quality \(/,
  );
  expect(report.comparisons?.text).toBe(
    "v3 is the best of the safe ones: proven better than v2 in cost and v4 in cost, and proven worse in nothing",
  );
  expect(report.summary).toMatch(/; best v3$/);
  const [cost] = report.comparisons?.pairs[0]?.metrics.filter(({ metric }) => metric === "cost") ?? [];
  expect(cost?.effect?.upper).toBeLessThan(0);
  expect(cost?.advantage).toBeGreaterThan(1);
});

test("versions that are alike stay together, and the one to take is called a suggestion", async () => {
  const versions = { v1: version(1), v2: version(2), v3: version(3) };
  const report = lastReport(await playRainbow(both(ONCE), versions));
  expect(pairsOf(report)).toEqual([["v3 against v2", "equivalent", "quality equivalent", "cost equivalent"]]);
  expect(report.comparisons?.unbeaten).toEqual(["v2", "v3"]);
  expect(["v2", "v3"]).toContain(report.best);
  expect(report.comparisons?.text).toMatch(
    /^v2 and v3: proven equivalent, so that any of them will do; v. is suggested: .* an estimate and no proof$/,
  );
  expect(report.summary).toMatch(/; v2 and v3 not told apart$/);
});

test("a version that is cheaper and one that is better are a trade-off, and both remain", async () => {
  const versions = { v1: version(1), v2: version(2, { gain: 0.3 }), v3: version(3, { cost: 0.8 }) };
  const report = lastReport(await playRainbow(both(ONCE), versions));
  expect(pairsOf(report)).toEqual([["v3 against v2", "trade_off", "quality worse", "cost better"]]);
  expect(report.comparisons?.unbeaten).toEqual(["v2", "v3"]);
});

test("named in another order, the same pair says the reverse", async () => {
  const [v1, v2, v3] = [version(1), version(2), version(3, { cost: 0.8, gain: 0.2 })];
  const one = lastReport(await playRainbow(both(ONCE), { v1, v2, v3 }));
  const other = lastReport(await playRainbow(both(ONCE), { v1, v3, v2 }));
  expect(pairsOf(one)).toEqual([["v3 against v2", "better", "quality better", "cost better"]]);
  expect(pairsOf(other)).toEqual([["v2 against v3", "worse", "quality worse", "cost worse"]]);
  expect([one.best, other.best]).toEqual(["v3", "v3"]);
});

test("a metric in which no direction is worse tells versions apart without ranking them", async () => {
  const analysis = analysisWith(
    "- { name: level, kind: gauge, worse: either, margin: 10%, source: s, query: { value: v, at: at } }",
    ONCE,
  );
  const level = (seed: number, middle: number) => ({
    level: spread(seed, 2000, SECONDS, (random) => middle * (0.8 + 0.4 * random())),
  });
  const report = lastReport(await playRainbow(analysis, { v1: level(1, 1), v2: level(2, 0.97), v3: level(3, 1.03) }));
  expect(pairsOf(report)).toEqual([["v3 against v2", "unclear", "level different"]]);
  expect(report.comparisons?.pairs[0]?.metrics[0]).toMatchObject({ withinMargin: true, advantage: 0 });
  expect(report.comparisons?.pairs[0]?.text).toMatch(
    /^v3 against v2: proven different in level \(.*stays within it\)$/,
  );
});

test("a candidate that is decided keeps its verdict, and is compared later by what came since", async () => {
  // v3 is so much cheaper that it is promoted first.
  const versions = { v1: version(1), v2: version(2), v3: version(3, { cost: 0.7, gain: 0.3 }) };
  const looks = await playRainbow(both(SCHEDULED), versions);
  const first = looks.findIndex(({ report }) => report.candidates?.[1]?.verdict === "promote");
  const early = looks[first]?.report;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(looks.length - 1);
  expect(early).toMatchObject({ decision: "continue", best: "v3", comparisons: { look: first + 1, pairs: [] } });
  expect(early?.comparisons?.text).toBe("so far: v3 is the only one that is safe");
  for (const { report } of looks.slice(first)) expect(report.candidates?.[1]).toEqual(early?.candidates?.[1]);
  for (const { report } of looks.slice(first, -1)) expect(report.comparisons).toEqual(early?.comparisons);
  const last = lastReport(looks);
  expect(last.comparisons?.look).toBe(looks.length);
  expect(pairsOf(last)).toEqual([["v3 against v2", "better", "quality better", "cost better"]]);
});

test("carried through the record, every look is the same byte for byte", async () => {
  for (const plan of [SCHEDULED, CONTINUOUS]) {
    const versions = {
      v1: version(1),
      v2: version(2),
      v3: version(3, { cost: 0.7, gain: 0.3 }),
      v4: version(4, { cost: 1.6 }),
    };
    const [plain, stored] = [
      await playRainbow(both(plan), versions),
      await playRainbow(both(plan), versions, { throughRecord: true }),
    ];
    expect(plain.length).toBeGreaterThan(2);
    expect(stored.map(({ report }) => JSON.stringify(report))).toEqual(
      plain.map(({ report }) => JSON.stringify(report)),
    );
  }
});

test("in a continuous run each version is decided at its own look", async () => {
  const versions = {
    v1: version(1),
    v2: version(2),
    v3: version(3, { cost: 0.7, gain: 0.3 }),
    v4: version(4, { cost: 1.6 }),
  };
  const looks = await playRainbow(both(CONTINUOUS), versions);
  const decidedAt = lastReport(looks).candidates?.map(({ look }) => look) ?? [];
  expect(new Set(decidedAt).size).toBeGreaterThan(1);
  expect(lastReport(looks).candidates?.map(({ verdict }) => verdict)).toEqual(["promote", "promote", "rollback"]);
  expect(lastReport(looks).best).toBe("v3");
});

test("between looks a rolled back version leaves its report behind, and pairs a few hundred bytes", async () => {
  const states: LookState[] = [];
  const versions = {
    v1: version(1),
    v2: version(2),
    v3: version(3, { cost: 0.7, gain: 0.3 }),
    v4: version(4, { cost: 1.6 }),
  };
  await playRainbow(both(SCHEDULED), versions, { onState: (state) => void states.push(state) });
  const late = states.at(-2);
  expect(late?.rainbow?.["v4"]?.state).toBeNull();
  expect(late?.rainbow?.["v3"]?.state).not.toBeNull();
  expect(late?.rainbow?.["v2"]?.report).toBeNull();
  expect(JSON.stringify(late?.compared).length).toBeLessThan(1000);
  expect(states.at(-1)?.rainbow).toBeUndefined();
});

/** As states were before versions were compared: nothing of a decided candidate but its report. */
function asOld(state: LookState): LookState {
  const { compared: _, rainbow = {}, ...rest } = state;
  const old = Object.entries(rainbow).map(([label, { state: own, report }]) => [
    label,
    { state: report === null ? own : null, report },
  ]);
  return readStoredState(toStoredState({ ...rest, rainbow: Object.fromEntries(old) }));
}

test("a run that an earlier version began goes on: nothing is known of the one that was decided, and nothing is said", async () => {
  const versions = { v1: version(1), v2: version(2), v3: version(3, { cost: 0.7, gain: 0.3 }) };
  const states: LookState[] = [];
  const looks = await playRainbow(both(SCHEDULED), versions, { onState: (state) => void states.push(state) });
  const middle = looks.findIndex(({ report }) => report.candidates?.[1]?.verdict === "promote");
  const [state] = states.slice(middle);
  if (state === undefined) throw new RangeError("v3 was never promoted");
  const report = lastReport(
    await playRainbow(both(SCHEDULED), versions, { from: { state: asOld(state), now: looks[middle]?.nextAt ?? null } }),
  );
  expect(report.candidates?.map(({ verdict }) => verdict)).toEqual(["promote", "promote"]);
  expect(pairsOf(report)).toEqual([["v3 against v2", "unclear", "quality unclear", "cost unclear"]]);
  expect(report.comparisons?.pairs[0]?.text).toBe(
    "v3 against v2: nothing is proven in quality (an arm has no data), cost (an arm has no data)",
  );
  expect(report).toMatchObject({ best: null, comparisons: { unbeaten: ["v2", "v3"] } });
  expect(report.comparisons?.text).toMatch(/none is suggested, since evidence is missing$/);
});

/** v3's source fails in these metrics once v3 is promoted. */
async function playWithFailing(...failing: string[]): Promise<Report> {
  let promoted = false;
  const source = (inner: MetricSource): MetricSource => ({
    ...inner,
    fetch: (request, signal) =>
      promoted && request.version.label === "v3" && failing.includes(request.metric.name)
        ? Promise.reject(new TouchstoneError("source_unavailable", "prometheus answered 503"))
        : inner.fetch(request, signal),
  });
  const versions = { v1: version(1), v2: version(2), v3: version(3, { cost: 0.7, gain: 0.3 }) };
  const looks = await playRainbow(both(SCHEDULED), versions, {
    source,
    onState: ({ rainbow }) => void (promoted = (rainbow?.["v3"]?.report ?? null) !== null),
  });
  return lastReport(looks);
}

test("a version whose source is away when it counts is not compared, and nobody is suggested for it", async () => {
  const report = await playWithFailing("quality", "cost");
  expect(report.candidates?.map(({ verdict }) => verdict)).toEqual(["promote", "promote"]);
  expect(report.comparisons?.pairs[0]?.metrics.map(({ reason }) => reason?.code)).toEqual([
    "not_concurrent",
    "not_concurrent",
  ]);
  expect(report.best).toBeNull();
});

test("a version beats nobody while one metric lacks evidence", async () => {
  const report = await playWithFailing("quality");
  expect(pairsOf(report)).toEqual([["v3 against v2", "unclear", "quality unclear", "cost better"]]);
  expect(report).toMatchObject({ best: null, comparisons: { unbeaten: ["v2", "v3"] } });
});

test("what a decided candidate was judged by stays in the digest of later looks", async () => {
  const run = async (bad: number) =>
    lastReport(await playRainbow(both(SCHEDULED), { v1: version(1), v2: version(2), v4: version(bad, { cost: 1.6 }) }))
      .evidence.digest;
  expect(await run(4)).toBe(await run(4));
  expect(await run(4)).not.toBe(await run(5));
});

test("a later attempt gets what the candidates have left of the budgets, also of those that were decided early", async () => {
  const versions = { v1: version(1), v2: version(2), v4: version(4, { cost: 1.6 }) };
  const run = (snapshot: Parameters<NonNullable<Parameters<typeof playRainbow>[2]>["run"] & object>[0]) => ({
    ...snapshot,
    budgetShares: { rollback: 0.8, promote: 0.8 },
  });
  const looks = await playRainbow(both(SCHEDULED), versions, { run });
  expect(lastReport(looks).budgets.rollback).toBeCloseTo(0.04, 12);
  const decided = looks.findIndex(({ report }) => report.candidates?.[1]?.verdict === "rollback");
  expect(looks[decided]?.report.verdict).toBeNull();
  // A twentieth of the time: 0.05^1.5 of the share, and not all of it.
  const [early, next] = [looks[decided]?.state.spent, looks[decided + 1]?.state.spent];
  expect(early?.rollback).toBeCloseTo(0.8 * ((decided + 1) / 20) ** 1.5, 6);
  expect(next?.rollback).toBeCloseTo(0.8 * ((decided + 2) / 20) ** 1.5, 6);
});

test("familywise spreads the rollback budget over the candidates, and leaves that of promotion to each", async () => {
  const versions = { v1: version(1), v2: version(2), v3: version(3), v4: version(4), v5: version(5) };
  const alphas = async (spec: string) => {
    const { candidates = [] } = lastReport(await playRainbow(analysisWith(COST, `${ONCE}\n  ${spec}`), versions));
    return candidates.map(({ findings }) => findings[0]?.components.map((one) => [one.alphaWorse, one.alphaSafe]));
  };
  const [each, spreadOut] = [await alphas("familywise: false"), await alphas("familywise: true")];
  expect(spreadOut).toEqual(each.map((own) => own?.map(([worse = 0, safe]) => [worse / 4, safe])));
  expect(each[0]?.[0]?.[1]).toBe(0.05);
});

test("familywise keeps a version that only its own budget would roll back", async () => {
  // p of no harm is 0.024: below 0.05, and not below 0.05 / 4.
  const few = (seed: number, factor: number) => ({ cost: spread(seed, 200, SECONDS, lognormal(factor, 0.5)) });
  const versions = { v1: few(53, 1), v2: few(83, 1.12), v3: few(3, 1), v4: few(4, 1), v5: few(5, 1) };
  const mean = COST.replace("kind: cost,", "kind: cost, components: [mean],");
  const verdict = async (spec: string) =>
    lastReport(await playRainbow(analysisWith(mean, `${ONCE}\n  ${spec}`), versions)).candidates?.[0]?.verdict;
  expect([await verdict("familywise: false"), await verdict("familywise: true")]).toEqual(["rollback", "pause"]);
});

const suspected = ({ reasons }: Report) =>
  reasons.filter(({ code }) => code === "baseline_suspect").map(({ text }) => text);

test("a baseline that is worse than three safe candidates is suspected, by the part that shows it", async () => {
  const versions = { v1: version(1, { cost: 1.25 }), v2: version(2), v3: version(3), v4: version(4) };
  const report = lastReport(await playRainbow(both(ONCE), versions));
  expect(report.candidates?.every(({ verdict }) => verdict === "promote")).toBe(true);
  expect(suspected(report)).toEqual([
    "cost: all 3 candidates are better than the baseline; the cause may be what they share, or it may be the baseline that is unwell",
  ]);
});

test("two candidates that moved by the same amount cast the same doubt, two that moved by different amounts do not", async () => {
  const alike = { v1: version(1, { cost: 1.3 }), v2: version(2), v3: version(3) };
  expect(suspected(lastReport(await playRainbow(both(ONCE), alike)))).toEqual([
    "cost: both candidates are better than the baseline; the cause may be what they share, or it may be the baseline that is unwell",
  ]);
  const worse = { v1: version(1, { cost: 0.7 }), v2: version(2), v3: version(3) };
  expect(suspected(lastReport(await playRainbow(both(ONCE), worse)))).toEqual([
    "cost: both candidates are worse than the baseline; the cause may be what they share, or it may be the baseline that is unusually good",
  ]);
  const apart = { v1: version(1, { cost: 1.3 }), v2: version(2), v3: version(3, { cost: 0.6 }) };
  expect(suspected(lastReport(await playRainbow(both(ONCE), apart)))).toEqual([]);
});

test("candidates that stay near the baseline, or move apart, cast no doubt on it", async () => {
  for (const cost of [1, 1.07]) {
    const near = { v1: version(1, { cost }), v2: version(2), v3: version(3), v4: version(4) };
    expect(suspected(lastReport(await playRainbow(both(ONCE), near)))).toEqual([]);
  }
  const apart = {
    v1: version(1),
    v2: version(2, { cost: 0.7 }),
    v3: version(3, { cost: 1.4 }),
    v4: version(4, { cost: 0.7 }),
  };
  expect(suspected(lastReport(await playRainbow(both(ONCE), apart)))).toEqual([]);
});

test("every report tells which version to take, and what is proven of each pair", async () => {
  const versions = { v1: version(1), v2: version(2), v3: version(3, { cost: 0.8 }) };
  const report = lastReport(await playRainbow(both(ONCE), versions));
  const [html, markdown, text] = [toHtml(report), toMarkdown(report), toText(report)];
  for (const page of [html, markdown, text]) {
    expect(page).toContain("The versions against each other");
    expect(page).toContain("v3 is the best of the safe ones: proven better than v2 in cost");
    expect(page).toContain("v3 against v2: proven better in cost");
    expect(page).toContain("wrong about a difference in at most 5% of runs");
  }
  expect(html).toContain("<td>v3 better than v2</td>");
});
