import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createLocalDoorbell } from "../../src/doorbell/local.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { Schedule, type ScheduleSlot } from "../../src/model/schedule.ts";
import type { Verdict } from "../../src/model/finding.ts";
import type { Version } from "../../src/model/version.ts";
import { putSchedule, takeDueSlots } from "../../src/schedule.ts";
import type { StartRunDependencies } from "../../src/start-run.ts";
import { migrate } from "../../src/store/migrations.ts";
import type { Sql } from "../../src/store/sql.ts";
import { noTracing } from "../../src/tracing/none.ts";
import type { Tracing } from "../../src/tracing/tracing.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import type { DueSchedule } from "../../src/store/schedules.ts";
import type { Store } from "../../src/store/store.ts";
import { wireSources } from "../../src/wire-sources.ts";
import { runOf, SMALL_ANALYSIS } from "../fixtures.ts";

const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const ALL = { limit: 100, cursor: null };
const MINUTE = 60_000;

/** What schedules promise on every record: by the clock of the database, each slot once, and none without a trace. */
const A_TEST = { actor: "a test", idempotency: null };

export function scheduleContract(name: string, open: () => Promise<Sql>): void {
  describe(`schedules on ${name}`, () => {
    let sql: Sql;
    let store: Store;
    let ids = 0;
    let rung: string[] = [];

    beforeAll(async () => {
      sql = await open();
      await migrate(sql);
      store = createSqlStore(sql);
      const { document, analysis } = readAnalysis(SMALL_ANALYSIS, "the test");
      const digest = analysisDigest(analysis);
      await store.putAnalysis("default", { name: "small", origin: "api", document, digest }, null, "a test");
    }, 60_000);
    afterAll(() => store.close());
    beforeEach(async () => {
      rung = [];
      await sql.query("delete from touchstone.schedules");
      await sql.query("delete from touchstone.runs");
      await sql.query("delete from touchstone.idempotency_keys");
    });

    const dependencies = (over: Partial<StartRunDependencies> = {}): StartRunDependencies => {
      return {
        store,
        doorbell: { ...createLocalDoorbell(), ring: (id) => void rung.push(id) },
        sources: wireSources({ configs: [{ name: "files", type: "file", root: AGENT }], environment: {} }),
        targets: new Map(),
        backlog: { refresh: () => Promise.resolve(), admit: () => undefined },
        tracing: noTracing,
        newId: () => `run_${(ids += 1)}`,
        ...over,
      };
    };

    const NIGHTLY = {
      name: "nightly",
      analysis: "small",
      baseline: { label: "v1" },
      candidate: { label: "v2" },
      cron: "0 2 * * *",
    };

    const put = async (more: object = {}): Promise<void> => {
      const { cron, ...untimed } = NIGHTLY;
      const schedule = Schedule.parse({ ...untimed, ...("every" in more ? {} : { cron }), ...more });
      await putSchedule(dependencies(), "default", schedule, A_TEST);
    };

    /** Makes a slot due that lies so many milliseconds back, on the database's clock. @returns the slot. */
    const makeDue = async (agoMs: number, of = "nightly"): Promise<string> => {
      const [row] = await sql.query<{ slot: string }>(
        `update touchstone.schedules set next_at = date_trunc('milliseconds', now()) - make_interval(secs => $2)
         where name = $1 returning touchstone.iso(next_at) as slot`,
        [of, agoMs / 1000],
      );
      return row?.slot ?? "";
    };

    const tick = async (over: Partial<StartRunDependencies> = {}): Promise<ScheduleSlot[]> => {
      const taken: ScheduleSlot[] = [];
      await takeDueSlots(dependencies(over), (_, slot) => taken.push(slot));
      return taken;
    };
    const slots = async (of = "nightly") => (await store.listSlots("default", of, ALL)).items;
    const runs = async () => (await store.listRuns("default", {}, ALL)).items;
    const due = async (): Promise<DueSchedule[]> => store.dueSchedules(100);

    /** A run that came to its end, of these versions. */
    const judged = async (baseline: string, candidate: string, verdict: Verdict): Promise<void> => {
      const id = `run_${(ids += 1)}`;
      await store.startRun({
        project: "default",
        requestDigest: "sha256:0",
        rollout: null,
        idempotency: null,
        actor: "a test",
        admit: () => undefined,
        build: (now) => ({ run: runOf({ id, baseline, candidate }), dueAt: now }),
      });
      const claim = await store.claimRun("w", 30, id);
      if (claim === null) throw new Error("the run was not due");
      await store.storeLook(claim, {
        at: claim.now,
        decision: verdict,
        summary: verdict,
        score: null,
        report: "{}",
        state: { v: 2, looks: 1, metrics: {}, digest: "sha256:0", sampleRatio: null },
        nextAt: null,
      });
    };

    test("a schedule is stored, read, listed and deleted; its runs stay", async () => {
      await put();
      await put({ name: "hourly", every: "1h", missed: "skip" });
      const nightly = await store.readSchedule("default", "nightly");
      expect(nightly).toMatchObject({ schedule: { ...NIGHTLY, missed: "run-once", paused: false }, lastSlot: null });
      expect(nightly?.nextAt).toMatch(/T02:00:00\.000Z$/);
      const hourly = await store.readSchedule("default", "hourly");
      expect(Date.parse(hourly?.nextAt ?? "") - Date.parse(hourly?.anchorAt ?? "")).toBe(60 * MINUTE);
      expect(await store.readSchedule("other", "nightly")).toBeNull();
      const page = await store.listSchedules("default", { limit: 1, cursor: null });
      expect([page.items.map(({ schedule }) => schedule.name), page.nextCursor]).toEqual([["hourly"], "hourly"]);
      const rest = await store.listSchedules("default", { limit: 1, cursor: page.nextCursor });
      expect([rest.items, rest.nextCursor]).toEqual([[nightly], null]);
      await makeDue(0);
      await tick();
      expect(await store.deleteSchedule("default", "nightly", "a test")).toBe(true);
      expect(await store.deleteSchedule("default", "nightly", "a test")).toBe(false);
      expect(await slots()).toEqual([]);
      expect((await runs()).length).toBe(1);
    });

    test("the run of a slot begins a trace, which is stored with it", async () => {
      const begun: string[] = [];
      const traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      const start: Tracing["start"] = (name, { parent }) => {
        begun.push(`${name} under ${String(parent)}`);
        return { ...noTracing.start(name, { parent }), traceParent };
      };
      await put();
      await makeDue(0);
      await tick({ tracing: { ...noTracing, start } });
      expect(begun).toEqual(["start run under null"]);
      expect(await runs()).toMatchObject([{ traceParent }]);
    });

    test("a schedule that cannot run is refused when it is put", async () => {
      await expect(put({ analysis: "nope" })).rejects.toMatchObject({ code: "not_found" });
      await expect(put({ args: { region: "eu" } })).rejects.toMatchObject({ code: "invalid_request" });
      const sources = wireSources({
        configs: [{ name: "files", type: "file", root: AGENT, file: "v1.csv" }],
        environment: {},
      });
      const put1 = (more: object) =>
        putSchedule(dependencies({ sources }), "default", Schedule.parse({ ...NIGHTLY, ...more }), A_TEST);
      await expect(put1({})).rejects.toMatchObject({ code: "arms_identical" });
      await expect(
        putSchedule(dependencies({ sources: new Map() }), "default", Schedule.parse(NIGHTLY), A_TEST),
      ).rejects.toMatchObject({ code: "not_runnable" });
      expect((await store.listSchedules("default", ALL)).items).toEqual([]);
    });

    test("a slot that has come starts its run, with the window of the slot, and the next slot is due then", async () => {
      await put();
      expect(await tick()).toEqual([]);
      const slot = await makeDue(1500);
      const taken = await tick();
      const [run] = await runs();
      expect(taken).toEqual([
        {
          slot,
          firstSlot: slot,
          slots: 1,
          outcome: "started",
          run: run?.run.id,
          code: null,
          detail: null,
          recordedAt: expect.any(String),
        },
      ]);
      expect(rung).toEqual([run?.run.id]);
      expect(run).toMatchObject({
        status: "queued",
        run: { baseline: { label: "v1" }, candidate: { label: "v2" }, schedule: { name: "nightly", slot } },
      });
      // once: the last 30 minutes before the settling time of 60 s, seen from the slot.
      expect(Date.parse(slot) - Date.parse(run?.run.window?.end ?? "")).toBe(MINUTE);
      expect(await slots()).toEqual(taken);
      const stored = await store.readSchedule("default", "nightly");
      expect(stored?.nextAt).toMatch(/T02:00:00\.000Z$/);
      expect(Date.parse(stored?.nextAt ?? "")).toBeGreaterThan(Date.parse(slot));
      expect(stored?.lastSlot).toEqual(taken[0]);
      expect(await tick()).toEqual([]);
    });

    test("a hundred ticks at once start one run per slot", async () => {
      for (const each of ["a", "b", "c"]) {
        await put({ name: each });
        await makeDue(1000, each);
      }
      const taken = await Promise.all(Array.from({ length: 100 }, () => tick()));
      expect(taken.flat().map(({ outcome }) => outcome)).toEqual(["started", "started", "started"]);
      expect(new Set((await runs()).map(({ run }) => run.schedule?.name))).toEqual(new Set(["a", "b", "c"]));
      expect((await runs()).length).toBe(3);
      for (const each of ["a", "b", "c"]) expect((await slots(each)).length).toBe(1);
    });

    test("of a hundred that hold the same due slot one takes it", async () => {
      await put();
      await makeDue(1000);
      const [held] = await due();
      if (held === undefined) throw new Error("nothing was due");
      const at = { slot: held.nextAt, firstSlot: held.nextAt, slots: 1 };
      const record = { ...at, outcome: "skipped", code: "missed", detail: "a test" } as const;
      const taking = { records: [record], start: null, nextAt: "2100-01-01T00:00:00.000Z" };
      const taken = await Promise.all(Array.from({ length: 100 }, () => store.takeSlots(held, taking)));
      expect(taken.filter((one) => one !== null).length).toBe(1);
      expect((await slots()).length).toBe(1);
    });

    test("what became of old slots is deleted, a few at a time, until nothing old is left", async () => {
      await put();
      await sql.query(
        `insert into touchstone.schedule_slots (project, schedule, slot, first_slot, slots, outcome, code, recorded_at)
         select 'default', 'nightly', at, at, 1, 'skipped', 'missed', at + interval '1 second' from generate_series(now() - interval '93 days', now() - interval '89 days', interval '1 day') at`,
      );
      const ninetyDays = 90 * 86_400;
      expect(await store.deleteOldKeys(ninetyDays, 2)).toBe(2);
      expect(await store.deleteOldKeys(ninetyDays, 2)).toBe(1);
      expect((await slots()).length).toBe(2);
    });

    test("whoever dies between the run and its end has taken nothing: the slot is still due", async () => {
      await put();
      const slot = await makeDue(1000);
      // The last statement of the transaction is where this process is cut off.
      const dying: Sql = {
        ...sql,
        transaction: (work) =>
          sql.transaction((tx) =>
            work({
              query: (text, values) =>
                text.startsWith("update touchstone.schedules set next_at")
                  ? Promise.reject(new Error("killed"))
                  : tx.query(text, values),
            }),
          ),
      };
      await expect(tick({ store: createSqlStore(dying) })).rejects.toThrow("killed");
      expect(await runs()).toEqual([]);
      expect(await slots()).toEqual([]);
      expect(rung).toEqual([]);
      expect((await due()).map(({ nextAt }) => nextAt)).toEqual([slot]);
      expect(await tick()).toMatchObject([{ slot, outcome: "started" }]);
    });

    test("a slot that was taken is not taken again when the database's clock is set back", async () => {
      await put();
      const slot = await makeDue(1000);
      await tick();
      await store.cancelRun("default", (await runs())[0]?.run.id ?? "", "", "a test");
      await sql.query("update touchstone.schedules set next_at = $1", [slot]);
      expect(await tick()).toEqual([]);
      expect((await runs()).length).toBe(1);
      expect(await due()).toEqual([]);
    });

    test("a slot that comes while the run of an earlier one is live is skipped", async () => {
      await put();
      await makeDue(2000);
      const [first] = await tick();
      const slot = await makeDue(1000);
      expect(await tick()).toMatchObject([
        { slot, outcome: "skipped", code: "overlap", detail: `run ${first?.run} of an earlier slot has not ended` },
      ]);
      await store.cancelRun("default", first?.run ?? "", "", "a test");
      await makeDue(500);
      expect(await tick()).toMatchObject([{ outcome: "started" }]);
      expect((await runs()).length).toBe(2);
      expect((await slots()).map(({ outcome }) => outcome)).toEqual(["started", "skipped", "started"]);
    });

    test("ten missed slots: the newest is run once, the others are recorded in one row", async () => {
      await put({ every: "10m" });
      await sql.query("update touchstone.schedules set anchor_at = now() - interval '115 minutes'");
      const [row] = await sql.query<{ first: string; before: string; last: string }>(
        `select touchstone.iso(anchor_at + interval '20 minutes') as first, touchstone.iso(anchor_at + interval '100 minutes') as before,
           touchstone.iso(anchor_at + interval '110 minutes') as last from touchstone.schedules`,
      );
      await sql.query("update touchstone.schedules set next_at = $1", [row?.first ?? ""]);
      const taken = await tick();
      expect(taken).toMatchObject([
        { slot: row?.before, firstSlot: row?.first, slots: 9, outcome: "skipped", code: "missed", run: null },
        { slot: row?.last, firstSlot: row?.last, slots: 1, outcome: "started" },
      ]);
      expect(await slots()).toEqual(taken.toReversed());
      expect((await runs()).map(({ run }) => run.schedule?.slot)).toEqual([row?.last]);
      const next = (await store.readSchedule("default", "nightly"))?.nextAt ?? "";
      expect(Date.parse(next) - Date.parse(row?.last ?? "")).toBe(10 * MINUTE);
    });

    test("ten missed slots, with the policy skip: none is run, unless the newest has only just come", async () => {
      await put({ every: "10m", missed: "skip" });
      await sql.query("update touchstone.schedules set anchor_at = now() - interval '115 minutes'");
      await sql.query(
        "update touchstone.schedules set next_at = date_trunc('milliseconds', anchor_at) + interval '20 minutes'",
      );
      expect(await tick()).toMatchObject([{ slots: 10, outcome: "skipped", code: "missed" }]);
      expect(await runs()).toEqual([]);
      await sql.query("update touchstone.schedules set anchor_at = now() - interval '110 minutes 5 seconds'");
      await sql.query(
        "update touchstone.schedules set next_at = date_trunc('milliseconds', anchor_at) + interval '80 minutes'",
      );
      expect(await tick()).toMatchObject([
        { slots: 3, outcome: "skipped", code: "missed" },
        { slots: 1, outcome: "started" },
      ]);
    });

    test("a slot that cannot start its run is recorded as failed, with the reason, and the schedule goes on", async () => {
      await put();
      await put({ name: "other" });
      await makeDue(2000);
      await makeDue(1000, "other");
      let looks = 0;
      const flaky: Store = {
        ...store,
        readAnalysis: (...args) => ((looks += 1) === 1 ? Promise.resolve(null) : store.readAnalysis(...args)),
      };
      expect(await tick({ store: flaky })).toMatchObject([
        { outcome: "failed", code: "not_found", detail: "there is no analysis named small", run: null },
        { outcome: "started" },
      ]);
      expect((await store.readSchedule("default", "nightly"))?.nextAt).toMatch(/T02:00:00\.000Z$/);
    });

    test("a bug in one schedule is recorded and does not hold up the others", async () => {
      await put();
      await put({ name: "other" });
      await makeDue(2000);
      await makeDue(1000, "other");
      const ids_ = [() => assertNever(), () => "run_other"];
      expect(await tick({ newId: () => ids_.shift()?.() ?? "" })).toMatchObject([
        { outcome: "failed", code: "internal", detail: "a bug" },
        { outcome: "started", run: "run_other" },
      ]);
    });

    test("known-good is the candidate that was promoted last and not rolled back since", async () => {
      await put({ baseline: "known-good", candidate: { label: "v9" } });
      const known = async () => (await store.lastPromoted("default", "small"))?.label;
      expect(await known()).toBeUndefined();
      await makeDue(1000);
      expect(await tick()).toMatchObject([
        { outcome: "failed", code: "not_found", detail: expect.stringMatching(/^there is no known-good version/) },
      ]);
      await judged("v1", "v2", "promote");
      await judged("v2", "v3", "promote");
      await judged("v3", "v4", "rollback");
      await judged("v3", "v5", "pause");
      expect(await known()).toBe("v3");
      await judged("v2", "v3", "rollback");
      expect(await known()).toBe("v2");
      expect(await store.lastPromoted("default", "other")).toBeNull();
      expect(await store.lastPromoted("other", "small")).toBeNull();
      await makeDue(500);
      expect(await tick()).toMatchObject([{ outcome: "started" }]);
      expect((await runs())[0]?.run).toMatchObject({ baseline: { label: "v2" }, candidate: { label: "v9" } });
    });

    test("newest is the version that was seen last for the first time, in either arm", async () => {
      const newest = async () => (await store.newestVersion("default", "small"))?.label;
      await put({ candidate: "newest" });
      expect(await newest()).toBeUndefined();
      await makeDue(1000);
      expect(await tick()).toMatchObject([
        { outcome: "failed", code: "not_found", detail: "there is no newest version: small has had no run yet" },
      ]);
      await judged("v1", "v2", "promote");
      expect(await newest()).toBe("v2");
      await judged("v2", "v3", "rollback");
      await judged("v2", "v1", "pause");
      expect(await newest()).toBe("v3");
      await judged("v4", "v2", "pause");
      expect(await newest()).toBe("v4");
    });

    test("where the words name one version there is nothing to judge", async () => {
      await put({ baseline: "known-good", candidate: "newest" });
      await judged("v1", "v2", "promote");
      await makeDue(1000);
      expect(await tick()).toMatchObject([
        {
          outcome: "skipped",
          code: "nothing_new",
          detail: "v2 is both the baseline and the candidate (known-good and newest)",
        },
      ]);
      await judged("v2", "v3", "pause");
      await makeDue(500);
      expect(await tick()).toMatchObject([{ outcome: "started" }]);
      expect((await runs())[0]?.run).toMatchObject({ baseline: { label: "v2" }, candidate: { label: "v3" } });
    });

    test("an override decides which version is known-good, and schedules stand in the audit log", async () => {
      await judged("v1", "v2", "promote");
      await judged("v1", "v3", "pause");
      expect((await store.lastPromoted("default", "small"))?.label).toBe("v2");
      const override = async (candidate: string, verdict: Verdict) => {
        const run = (await runs()).find((one) => one.run.candidate.label === candidate);
        const reason = "the test says otherwise";
        const expectedVersion = run?.version ?? -1;
        await store.overrideRun("default", run?.run.id ?? "", {
          verdict,
          reason,
          actor: "a test",
          expectedVersion,
          idempotency: null,
        });
      };
      await override("v3", "promote");
      expect((await store.lastPromoted("default", "small"))?.label).toBe("v3");
      await override("v3", "rollback");
      expect((await store.lastPromoted("default", "small"))?.label).toBe("v2");
      await put();
      await store.deleteSchedule("default", "nightly", "a test");
      const { items } = await store.listAudit("default", "nightly", { limit: 200, cursor: null });
      expect(items.map(({ action }) => action).slice(-2)).toEqual(["schedule.put", "schedule.deleted"]);
    });

    test("of a rainbow run the best is known-good, with its labels and tuple", async () => {
      const candidates: Version[] = [{ label: "v2" }, { label: "v3", labels: { zone: "eu" }, tuple: { model: "m3" } }];
      await store.startRun({
        project: "default",
        requestDigest: "sha256:0",
        rollout: null,
        idempotency: null,
        actor: "a test",
        admit: () => undefined,
        build: (now) => ({ run: { ...runOf({ id: "run_rainbow" }), candidates }, dueAt: now }),
      });
      const claim = await store.claimRun("w", 30, "run_rainbow");
      if (claim === null) throw new Error("the run was not due");
      const report = JSON.stringify({ ...RAINBOW_REPORT, best: "v3" });
      const state = { v: 2, looks: 1, metrics: {}, digest: "sha256:0", sampleRatio: null } as const;
      await store.storeLook(claim, {
        at: claim.now,
        decision: "promote",
        summary: "promote",
        score: null,
        report,
        state,
        nextAt: null,
      });
      expect(await store.lastPromoted("default", "small")).toEqual(candidates[1]);
      expect(await store.newestVersion("default", "small")).toEqual(candidates[1]);
    });

    test("a put that changes no times keeps the slot that is due; one that changes them records it as skipped", async () => {
      await put();
      const slot = await makeDue(5 * MINUTE);
      const [held] = await due();
      await put({ candidate: { label: "v3" } });
      expect((await store.readSchedule("default", "nightly"))?.nextAt).toBe(slot);
      if (held === undefined) throw new Error("nothing was due");
      // Whoever read the schedule before the change does not start a run of what it was.
      expect(await store.takeSlots(held, { records: [], start: null, nextAt: null })).toBeNull();
      expect(await tick()).toMatchObject([{ outcome: "started" }]);
      expect((await runs())[0]?.run.candidate.label).toBe("v3");
      const lost = await makeDue(5 * MINUTE - 1000);
      await put({ cron: "0 3 * * *" });
      expect((await slots())[0]).toMatchObject({ slot: lost, slots: 1, outcome: "skipped", code: "changed" });
      expect((await store.readSchedule("default", "nightly"))?.nextAt).toMatch(/T03:00:00\.000Z$/);
    });

    test("a paused schedule has no slots, and misses none", async () => {
      await put({ every: "10m" });
      const anchor = (await store.readSchedule("default", "nightly"))?.anchorAt;
      await put({ every: "10m", paused: true });
      expect(await store.readSchedule("default", "nightly")).toMatchObject({
        nextAt: null,
        schedule: { paused: true },
      });
      expect(await tick()).toEqual([]);
      await put({ every: "10m" });
      const resumed = await store.readSchedule("default", "nightly");
      expect(resumed?.anchorAt).toBe(anchor);
      expect(Date.parse(resumed?.nextAt ?? "")).toBeGreaterThan(Date.now() - MINUTE);
      expect(await slots()).toEqual([]);
    });

    test("the same idempotency key puts once, and another body is refused", async () => {
      const key = { route: "PUT /v1/schedules/nightly", key: "k", bodyDigest: "sha256:a" };
      const first = Schedule.parse(NIGHTLY);
      await putSchedule(dependencies(), "default", first, { actor: "a test", idempotency: key });
      const before = await store.readSchedule("default", "nightly");
      await put({ cron: "0 4 * * *" });
      await putSchedule(dependencies(), "default", first, { actor: "a test", idempotency: key });
      expect((await store.readSchedule("default", "nightly"))?.schedule.cron).toBe("0 4 * * *");
      expect(before?.schedule.cron).toBe("0 2 * * *");
      await expect(
        putSchedule(dependencies(), "default", first, {
          actor: "a test",
          idempotency: { ...key, bodyDigest: "sha256:b" },
        }),
      ).rejects.toMatchObject({ code: "idempotency_mismatch" });
    });

    test("twenty puts of a new name at once make one schedule", async () => {
      await Promise.all(Array.from({ length: 20 }, () => put()));
      const stored = (await store.listSchedules("default", ALL)).items;
      expect(stored.length).toBe(1);
    });

    test("slots are listed newest first, page by page", async () => {
      await put();
      for (let minute = 5; minute >= 1; minute--) {
        await makeDue(minute * 1000);
        await tick();
      }
      const all = await slots();
      expect(all.length).toBe(5);
      const pages: ScheduleSlot[][] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Store["listSlots"]>> = await store.listSlots("default", "nightly", {
          limit: 2,
          cursor,
        });
        pages.push([...page.items]);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
      expect(pages.flat()).toEqual(all);
      expect(all.map(({ slot }) => slot)).toEqual(
        all
          .map(({ slot }) => slot)
          .toSorted()
          .toReversed(),
      );
      await expect(store.listSlots("default", "nightly", { limit: 2, cursor: "x'; drop" })).rejects.toMatchObject({
        code: "invalid_parameter",
      });
    });

    test("the lag is that of the longest due slot", async () => {
      expect(await store.slotLagSeconds()).toBe(0);
      await put();
      await put({ name: "other" });
      expect(await store.slotLagSeconds()).toBe(0);
      await makeDue(30_000);
      await makeDue(90_000, "other");
      const lag = await store.slotLagSeconds();
      expect(lag).toBeGreaterThanOrEqual(90);
      expect(lag).toBeLessThan(150);
    });
  });
}

function assertNever(): never {
  throw new RangeError("a bug");
}

const RAINBOW_REPORT = {
  apiVersion: "touchstone/v1",
  kind: "Report",
  run: "run_rainbow",
  analysis: { name: "small", digest: "sha256:0" },
  baseline: { label: "v1" },
  window: null,
  rollout: null,
  look: { n: 1, at: "2026-11-20T08:00:00.000Z" },
  decision: "promote",
  verdict: "promote",
  summary: "promote",
  reasons: [],
  findings: [],
  score: null,
  worstMetric: null,
  budgets: { rollback: 0.05, promote: 0.05 },
  rollbackTarget: null,
  evidence: { digest: "sha256:0", engine: "touchstone 0.1.0" },
};
