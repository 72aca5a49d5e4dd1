import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clockOf, firstLookAt } from "../src/judge/clock.ts";
import { packEvidence, readEvidence, type LookEvidence } from "../src/model/look-evidence.ts";
import { canonicalJson } from "../src/model/canonical.ts";
import type { Run } from "../src/model/run.ts";
import { epochSeconds, toInstant, type Instant } from "../src/model/time.ts";
import { lookAndRecord } from "../src/recorded-look.ts";
import { rejudge } from "../src/rejudge.ts";
import type { MetricSource, Sources } from "../src/sources/source.ts";
import { migrate } from "../src/store/migrations.ts";
import { createPgliteSql } from "../src/store/pglite.ts";
import { createSqlStore } from "../src/store/sql-store.ts";
import type { Store } from "../src/store/store.ts";
import type { StoredEvidence } from "../src/store/runs.ts";
import { badCase, START, type BadCase, type LookAt } from "./faults/bad-evidence.ts";
import { runOf, sourceOf } from "./faults/judge-case.ts";

/** Random runs that are stored and judged again; a release does it with 10,000. */
const RUNS = Number(process.env["TOUCHSTONE_REJUDGED_RUNS"] ?? 300);
const LIMIT = 4e6;
const NEVER = new AbortController().signal;
const PAST = "2020-01-01T00:00:00.000Z";

let store: Store;
beforeAll(async () => {
  const sql = await createPgliteSql(null, () => undefined);
  await migrate(sql);
  store = createSqlStore(sql);
}, 60_000);
afterAll(() => store.close());

/** One run through the record as a worker takes it there, except that its looks do not wait for their times. */
async function judgeStored(
  run: Run,
  sources: (at: LookAt) => Sources,
  {
    limit = LIMIT,
    finishAfter = Infinity,
    behind = () => 0,
  }: { limit?: number; finishAfter?: number; behind?: BadCase["behind"] } = {},
): Promise<Run> {
  await store.startRun({
    project: "p",
    requestDigest: "d",
    rollout: run.rollout,
    idempotency: null,
    actor: "a test",
    admit: () => undefined,
    build: () => ({ run, dueAt: PAST }),
  });
  let due: Instant = run.window === null ? toInstant(START) : firstLookAt(run.analysis, run.window);
  for (let look = 1; ; look++) {
    const claim = await store.claimRun("w", 60, run.id);
    if (claim === null) throw new Error(`${run.id} was not due`);
    const now = toInstant(epochSeconds(due) - behind(look));
    const ends = look > finishAfter && claim.run.window !== null;
    const own = ends ? { ...claim.run, window: { start: toInstant(START), end: now } } : claim.run;
    const clock = clockOf(own, now);
    const at = { look, passed: clock === null ? Infinity : clock.edge - START };
    const { report, state, nextAt, evidence } = await lookAndRecord(sources(at), own, claim.state, now, NEVER, limit);
    const { decision, summary, score } = report;
    const stored = await store.storeLook(
      { ...claim, now },
      {
        at: now,
        decision,
        summary,
        score,
        report: canonicalJson(report),
        state,
        nextAt: nextAt === null ? null : PAST,
        ...(evidence === undefined ? {} : { evidence }),
      },
    );
    expect(stored).toBe(true);
    if (nextAt === null) return run;
    due = nextAt;
  }
}

async function evidenceOf(run: Run): Promise<StoredEvidence[]> {
  return [...(await store.listEvidence("p", run.id, { limit: 200, cursor: null })).items];
}

/** What the record gives back as the run, not what was put in. */
async function again(run: Run, change: (looks: StoredEvidence[]) => StoredEvidence[] = (looks) => looks) {
  const stored = await store.readRun("p", run.id);
  return rejudge(stored?.run ?? run, change(await evidenceOf(run)), NEVER);
}

/** A generated run of broken evidence; some with two candidates, some judged by Kayenta, some told to finish, some that a promotion does not end. */
function storedCase(number: number): Promise<Run> {
  const one = badCase(number);
  const rainbow = number % 5 === 0;
  const byKayenta = number % 7 === 0 && one.analysis.plan.mode === "once";
  const base = runOf(one);
  const run: Run = {
    ...base,
    id: `run_${number}`,
    analysis: byKayenta ? { ...base.analysis, judge: "kayenta" } : base.analysis,
    ...(rainbow ? { candidates: [base.candidate, { label: "other" }] } : {}),
    ...(number % 3 === 0 && !rainbow ? { promotionEnds: false as const } : {}),
  };
  const sources = (at: LookAt): Sources => new Map([["s", withSecondCandidate(sourceOf(one, () => at))]]);
  return judgeStored(run, sources, { finishAfter: number % 11 === 0 ? 2 : Infinity, behind: one.behind });
}

/** The second candidate of a rainbow run gives what the first gives. */
const withSecondCandidate = (source: MetricSource): MetricSource => ({
  ...source,
  fetch: (request, signal) =>
    source.fetch(request.version.label === "other" ? { ...request, version: { label: "candidate" } } : request, signal),
});

test(`${RUNS} stored runs are judged again to the same bytes`, async () => {
  const modes = new Map<string, number>();
  let looks = 0;
  let bytes = 0;
  for (let number = 0; number < RUNS; number++) {
    const run = await storedCase(number);
    const verified = await again(run);
    expect(verified, `case ${number}: ${JSON.stringify(verified.difference)}`).toMatchObject({
      outcome: "identical",
      notKept: [],
      otherEngines: [],
    });
    looks += verified.looks;
    expect(verified.identical).toBe(verified.looks);
    for (const kept of await evidenceOf(run)) bytes += kept.bytes ?? 0;
    const what =
      run.candidates !== undefined ? "rainbow" : run.analysis.judge === "kayenta" ? "kayenta" : run.analysis.plan.mode;
    modes.set(what, (modes.get(what) ?? 0) + 1);
  }
  expect([...modes.keys()].sort()).toEqual(["continuous", "kayenta", "once", "rainbow", "scheduled"]);
  process.stdout.write(
    `rejudged | runs ${RUNS} | looks ${looks} | evidence ${Math.round(bytes / looks)} bytes a look | ${[...modes].map(([mode, n]) => `${mode} ${n}`).join(" | ")}\n`,
  );
}, 3_600_000);

/** A generated run with several looks and nothing told to finish. */
async function manyLooks(options: Parameters<typeof judgeStored>[2] & { id: string }): Promise<Run> {
  for (let number = 20_000; ; number++) {
    const one = badCase(number);
    if (one.analysis.plan.mode !== "scheduled") continue;
    const run = { ...runOf(one), id: `${options.id}_${number}` };
    await judgeStored(run, (at) => new Map([["s", sourceOf(one, () => at)]]), { ...options, behind: one.behind });
    if ((await evidenceOf(run)).length >= 3) return run;
  }
}

const first = <T>(list: readonly T[]): T => {
  const [one] = list;
  if (one === undefined) throw new Error("the list is empty");
  return one;
};
const changeFirst =
  (change: (look: StoredEvidence) => Partial<StoredEvidence>) =>
  (looks: StoredEvidence[]): StoredEvidence[] =>
    looks.map((look, index) => (index === 0 ? { ...look, ...change(look) } : look));
const repacked = (body: Uint8Array | null, change: (evidence: LookEvidence) => LookEvidence): Uint8Array =>
  brotliCompressSync(packEvidence(change(readEvidence(brotliDecompressSync(body ?? new Uint8Array(0))))));

test("evidence that was changed, a report that was changed and evidence of another run are named", async () => {
  const run = await manyLooks({ id: "tampered" });
  expect(await again(run)).toMatchObject({ outcome: "identical" });

  const nudged = await again(
    run,
    changeFirst(({ body }) => ({
      body: repacked(body, (evidence) => {
        const answered = evidence.answers.find(
          ({ outcome }) => "samples" in outcome && "values" in outcome.samples && outcome.samples.values.length > 0,
        );
        if (answered === undefined || !("samples" in answered.outcome) || !("values" in answered.outcome.samples))
          throw new Error("no values");
        answered.outcome.samples.values[0] = (answered.outcome.samples.values[0] ?? 0) + 1e-9;
        return evidence;
      }),
    })),
  );
  expect(nudged).toMatchObject({ outcome: "differs", identical: 0, difference: { look: 1, path: "/evidence/digest" } });

  const reworded = await again(
    run,
    changeFirst(({ report }) => ({ report: report.replace('"decision":"continue"', '"decision":"promote"') })),
  );
  expect(reworded).toMatchObject({
    outcome: "differs",
    difference: { look: 1, path: "/decision", stored: '"promote"', rejudged: '"continue"' },
  });

  const swapped = await again(
    run,
    changeFirst(({ body }) => ({ body: repacked(body, (evidence) => ({ ...evidence, run: "run_x" })) })),
  );
  expect(swapped.difference).toMatchObject({
    path: "/evidence",
    stored: expect.stringMatching(/^evidence of run_x at /),
  });

  const torn = await again(
    run,
    changeFirst(({ body }) => ({ body: (body ?? new Uint8Array(0)).slice(0, -7) })),
  );
  expect(torn).toMatchObject({
    outcome: "differs",
    difference: { path: "/evidence", rejudged: expect.stringMatching(/^cannot be judged: /) },
  });

  const silenced = await again(
    run,
    changeFirst(({ body }) => ({
      body: repacked(body, (evidence) => ({ ...evidence, answers: evidence.answers.slice(1) })),
    })),
  );
  expect(silenced.outcome).toBe("differs");
});

test("another engine's runs are identical when all but its name is, and cannot be verified otherwise", async () => {
  const run = await manyLooks({ id: "engine" });
  const old = (looks: StoredEvidence[]) =>
    looks.map((look) => ({
      ...look,
      engine: "touchstone 0.0.1",
      report: look.report.replace(/"engine":"[^"]+"/, '"engine":"touchstone 0.0.1"'),
    }));
  expect(await again(run, old)).toMatchObject({ outcome: "identical", otherEngines: ["touchstone 0.0.1"] });
  const changed = (looks: StoredEvidence[]) =>
    changeFirst(({ report }) => ({ report: report.replace('"decision":"continue"', '"decision":"promote"') }))(
      old(looks),
    );
  expect(await again(run, changed)).toMatchObject({ outcome: "unverifiable", difference: { path: "/decision" } });
});

test("beyond the limit of a run older looks give way, the latest can still be judged, and what is not kept is said", async () => {
  const whole = await manyLooks({ id: "whole" });
  const sizes = (await evidenceOf(whole)).map(({ bytes }) => bytes ?? 0);
  const limit = Math.max(...sizes) + 20;
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(limit);
  const bounded = await manyLooks({ id: "bounded", limit });
  const kept = await evidenceOf(bounded);
  expect(first(kept)).toMatchObject({ bytes: expect.any(Number), body: null, state: null });
  expect(kept.reduce((sum, { body }) => sum + (body?.length ?? 0), 0)).toBeLessThanOrEqual(limit);
  const verified = await again(bounded);
  expect(verified).toMatchObject({ outcome: "identical", looks: kept.length });
  expect(verified.notKept).toEqual(kept.filter(({ body }) => body === null).map(({ n }) => n));
  expect(verified.notKept[0]).toBe(1);
  expect(verified.identical + verified.notKept.length).toBe(kept.length);

  const tiny = await manyLooks({ id: "tiny", limit: 1 });
  expect(await again(tiny)).toMatchObject({ outcome: "unverifiable", identical: 0, difference: null });
  expect((await evidenceOf(tiny)).every(({ bytes, body }) => body === null && (bytes ?? 0) > 1)).toBe(true);
  const none = await manyLooks({ id: "none", limit: 0 });
  expect(await again(none)).toMatchObject({ outcome: "unverifiable", identical: 0 });
  expect((await evidenceOf(none)).every(({ engine, bytes }) => engine === null && bytes === null)).toBe(true);
});
