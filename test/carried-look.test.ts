import { describe, expect, test } from "vitest";
import { firstLookAt } from "../src/judge/clock.ts";
import type { Judged } from "../src/judge/judge.ts";
import { look } from "../src/look.ts";
import { readStoredState, toStoredState, type LookState } from "../src/model/look-state.ts";
import type { Report, Run } from "../src/model/run.ts";
import { epochSeconds, toInstant } from "../src/model/time.ts";
import { lookAndRecord } from "../src/recorded-look.ts";
import { rejudge } from "../src/rejudge.ts";
import { createReplaySource } from "../src/sources/replay.ts";
import { seeded } from "../src/stats/random.ts";
import type { StoredEvidence } from "../src/store/runs.ts";
import { canonicalJson } from "../src/model/canonical.ts";
import { toText } from "../src/report/text.ts";
import { analysisWith, scores, timedRows } from "./judge/samples.ts";

/** An hour of a stage before, then twenty minutes of this one. */
const BEGIN = epochSeconds("2026-11-20T08:00:00.000Z");
const START = BEGIN + 3600;
const ANALYSIS = analysisWith(
  "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v, at: at } }",
  "plan: { mode: scheduled, duration: 20m, every: 2m, settle: 0s, minDuration: 6m }",
);
const GOOD = scores(0.05, 0.1, 0.2, 0.35, 0.3);
const BAD = scores(0.25, 0.2, 0.2, 0.2, 0.15);

/** Ten values a minute, of one law before the stage and of another in it. */
function rowsOf(seed: number, before: typeof GOOD, since: typeof GOOD) {
  const random = seeded(seed);
  const at = Float64Array.from({ length: 800 }, (_, i) => BEGIN + 6 * i + 3);
  return timedRows(
    at.map((second) => (second < START ? before : since)(random)),
    at,
  );
}

const sourcesOf = (before: typeof GOOD, since: typeof GOOD) =>
  new Map([
    [
      "s",
      createReplaySource(
        new Map([
          ["v1", new Map([["quality", rowsOf(1, GOOD, GOOD)]])],
          ["v2", new Map([["quality", rowsOf(2, before, since)]])],
        ]),
      ),
    ],
  ]);

const FRESH: Run = {
  id: "run_1",
  analysis: ANALYSIS,
  analysisDigest: "sha256:0",
  baseline: { label: "v1" },
  candidate: { label: "v2" },
  window: { start: toInstant(START), end: toInstant(START + 1200) },
  args: {},
  rollout: { namespace: "n", name: "r", revision: "1", stage: "b" },
  budgetShares: { rollback: 0.4, promote: 0.8 },
};
const CARRIED: Run = { ...FRESH, carried: { from: toInstant(BEGIN), stages: ["a"] } };
const NEVER = new AbortController().signal;

async function play(run: Run, sources: ReturnType<typeof sourcesOf>): Promise<Judged[]> {
  const looks: Judged[] = [];
  let state: LookState | null = null;
  let now: string | null = firstLookAt(run.analysis, run.window ?? { start: "", end: "" });
  while (now !== null) {
    const judged: Judged = await look(sources, run, state, now, NEVER);
    looks.push(judged);
    state = readStoredState(toStoredState(judged.state));
    now = judged.nextAt;
  }
  return looks;
}

describe("a run that goes on from the evidence of the stage before", () => {
  test("promotes a good candidate sooner, and never before its own shortest time", async () => {
    const [fresh, carried] = [await play(FRESH, sourcesOf(GOOD, GOOD)), await play(CARRIED, sourcesOf(GOOD, GOOD))];
    expect(carried.at(-1)?.report.verdict).toBe("promote");
    expect(carried.length).toBeLessThan(fresh.length);
    expect(carried.length).toBeGreaterThanOrEqual(3);
    const [first] = carried;
    expect(first?.report.ownEvidence?.findings[0]?.units).toEqual({ baseline: 20, candidate: 20 });
    expect(first?.report.findings[0]?.units).toEqual({ baseline: 620, candidate: 620 });
  });

  test("finds a fault that came with the stage by its own evidence, which the whole would have hidden", async () => {
    const looks = await play(CARRIED, sourcesOf(GOOD, BAD));
    const last = looks.at(-1)?.report;
    expect(last).toMatchObject({
      verdict: "rollback",
      ownEvidence: { decision: "rollback" },
      rollbackTarget: { label: "v1" },
    });
    expect(last?.summary).toMatch(/^rollback: quality .*; by the evidence of this stage alone$/);
    expect(last?.findings[0]?.finding).not.toBe("worse");
    expect(toText(last as Report)).toMatch(/^this stage alone: rollback: /m);
  });

  test("finds by the whole what was there from the beginning", async () => {
    const worse = scores(0.1, 0.16, 0.24, 0.3, 0.2);
    const [first] = await play(CARRIED, sourcesOf(worse, worse));
    expect(first?.report).toMatchObject({ verdict: "rollback", ownEvidence: { decision: "continue" } });
    expect(first?.report.summary).not.toMatch(/alone/);
  });

  test("each part has half of the rollback budget, and after the last look all of it is spent", async () => {
    // More units than come, so that nothing is ever decided.
    const patient = analysisWith(
      "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, minUnits: 5000, source: s, query: { value: v, at: at } }",
      "plan: { mode: scheduled, duration: 20m, every: 2m, settle: 0s }",
    );
    const looks = await play({ ...CARRIED, analysis: patient }, sourcesOf(GOOD, GOOD));
    const last = looks.at(-1);
    expect(last?.report.verdict).toBe("pause");
    expect(last?.report.budgets.rollback).toBeCloseTo(0.05 * 0.4, 12);
    expect(last?.report.findings[0]?.components[0]?.alphaWorse).toBeCloseTo(
      last?.report.ownEvidence?.findings[0]?.components[0]?.alphaWorse ?? 0,
      12,
    );
    expect(last?.report.ownEvidence?.budgets).toEqual({
      rollback: expect.closeTo(0.01, 12),
      promote: expect.closeTo(0.16, 12),
    });
    expect(last?.state.spent).toEqual({ rollback: expect.closeTo(0.4, 12), promote: expect.closeTo(0.8, 12) });
    expect(last?.state.own).toBeUndefined();
  });

  test("is judged again from its evidence to the same bytes", async () => {
    const sources = sourcesOf(GOOD, GOOD);
    const kept: StoredEvidence[] = [];
    let state: LookState | null = null;
    let now: string | null = firstLookAt(ANALYSIS, CARRIED.window ?? { start: "", end: "" });
    while (now !== null) {
      const judged: Awaited<ReturnType<typeof lookAndRecord>> = await lookAndRecord(
        sources,
        CARRIED,
        state,
        now,
        NEVER,
        1e8,
      );
      const { engine = null, bytes = null, body = null } = judged.evidence ?? {};
      kept.push({
        n: kept.length + 1,
        at: now,
        report: canonicalJson(judged.report),
        engine,
        bytes,
        state: null,
        body,
      });
      state = readStoredState(toStoredState(judged.state));
      now = judged.nextAt;
    }
    expect(await rejudge(CARRIED, kept, NEVER)).toMatchObject({
      outcome: "identical",
      looks: kept.length,
      identical: kept.length,
    });
  });
});
