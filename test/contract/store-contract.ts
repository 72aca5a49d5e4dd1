import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { AUDIT_START, followAudit, type AuditRecord } from "../../src/model/audit.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import { RunEvent } from "../../src/model/event.ts";
import type { Verdict } from "../../src/model/finding.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import type { Rollout } from "../../src/model/run.ts";
import type { Sql } from "../../src/store/sql.ts";
import { checkSchema, migrate } from "../../src/store/migrations.ts";
import type { Instant } from "../../src/model/time.ts";
import { PAYLOAD_VERSION } from "../../src/store/payload-version.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { MOST_CLAIMS, type Claim } from "../../src/store/work.ts";
import type { EarlierRuns, Idempotency, StartedRun } from "../../src/store/runs.ts";
import type { Store } from "../../src/store/store.ts";
import type { StoredAnalysis } from "../../src/store/analyses.ts";
import { runOf, SMALL_ANALYSIS } from "../fixtures.ts";

const NEVER = "2100-01-01T00:00:00.000Z";
const PAST = "2020-01-01T00:00:00.000Z";

/** What every record promises, whichever database keeps it. */
export function storeContract(name: string, open: () => Promise<Sql>): void {
  describe(`the record on ${name}`, () => {
    let sql: Sql;
    let store: Store;
    let ids = 0;

    beforeAll(async () => {
      sql = await open();
      await migrate(sql);
      store = createSqlStore(sql);
    }, 60_000);
    afterAll(() => store.close());
    beforeEach(async () => {
      await sql.query("delete from touchstone.runs");
      await sql.query("delete from touchstone.analyses");
      await sql.query("delete from touchstone.idempotency_keys");
      await sql.query("delete from touchstone.outbox");
      await sql.query("delete from touchstone.deleted_attempts");
    });

    const start = (
      options: {
        rollout?: Rollout;
        key?: Idempotency;
        digest?: string;
        dueAt?: string;
        candidate?: string;
        project?: string;
        notify?: string[];
        admit?: () => void;
        traceParent?: string;
        anew?: boolean;
      } = {},
    ): Promise<StartedRun> =>
      store.startRun({
        project: options.project ?? "default",
        requestDigest: options.digest ?? "sha256:body",
        rollout: options.rollout ?? null,
        idempotency: options.key ?? null,
        actor: "a test",
        admit: options.admit ?? (() => undefined),
        ...(options.traceParent === undefined ? {} : { traceParent: options.traceParent }),
        ...(options.anew === undefined ? {} : { anew: options.anew }),
        build: () => ({
          run: runOf({
            ...(options.notify === undefined ? {} : { notify: options.notify }),
            id: `run_${(ids += 1)}`,
            rollout: options.rollout ?? null,
            candidate: options.candidate ?? "v2",
          }),
          dueAt: options.dueAt ?? PAST,
        }),
      });

    const claim = async (worker: string, leaseSeconds = 30, id?: string): Promise<Claim> => {
      const claimed = await store.claimRun(worker, leaseSeconds, id);
      if (claimed === null) throw new Error("nothing was due");
      return claimed;
    };

    const decide = (claimed: Claim, report = '{"report":1}', nextAt: Instant | null = null) =>
      store.storeLook(claimed, {
        at: claimed.now,
        decision: nextAt === null ? "pause" : "continue",
        summary: "pause: a test",
        score: 50,
        report,
        state: { v: 2, looks: 1, metrics: {}, digest: "sha256:0", sampleRatio: null },
        nextAt,
      });

    test("a second migration finds nothing to do and the schema is current", async () => {
      expect(await migrate(sql)).toEqual([]);
      await checkSchema(sql);
    });

    test("a run is stored as it was built and read back whole", async () => {
      const { run, outcome } = await start();
      expect(outcome).toBe("created");
      expect(run.status).toBe("queued");
      expect(run.run).toEqual({ ...runOf({ id: run.run.id }) });
      expect(await store.readRun("default", run.run.id)).toEqual(run);
      expect(await store.readRun("other", run.run.id)).toBeNull();
      expect(await store.readRun("default", "run_unknown")).toBeNull();
    });

    test("a due run is claimed once, and a run that is not due never", async () => {
      const due = await start();
      const later = await start({ dueAt: NEVER });
      const first = await claim("a");
      expect(first.run.id).toBe(due.run.run.id);
      expect(first.epoch).toBe(1);
      expect(Math.abs(Date.parse(first.now) - Date.now())).toBeLessThan(60_000);
      expect(await store.claimRun("b", 30)).toBeNull();
      expect(await store.claimRun("b", 30, later.run.run.id)).toBeNull();
    });

    test("a run keeps its trace, beside what is judged, whoever claims it", async () => {
      const traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      const { run } = await start({ traceParent });
      expect(run.traceParent).toBe(traceParent);
      expect(JSON.stringify(run.run)).not.toContain(traceParent);
      const first = await claim("a", 0);
      const second = await claim("b");
      for (const claimed of [first, second])
        expect(claimed).toMatchObject({ traceParent, createdAt: run.createdAt, dueAt: PAST });
      const untraced = await start();
      expect(await claim("a", 30, untraced.run.run.id)).toMatchObject({ traceParent: null });
    });

    test("the backlog counts what is live, and of that what is due and nobody's", async () => {
      expect(await store.backlog()).toEqual({ live: 0, due: 0, oldestSeconds: 0 });
      await start({ dueAt: NEVER });
      expect(await store.backlog()).toEqual({ live: 1, due: 0, oldestSeconds: 0 });
      const minuteAgo = new Date(Date.now() - 60_000).toISOString();
      await start({ dueAt: minuteAgo });
      await start({ dueAt: PAST });
      const waiting = await store.backlog();
      expect(waiting).toMatchObject({ live: 3, due: 2 });
      expect(waiting.oldestSeconds).toBeGreaterThan(86_400);
      const oldest = await claim("a");
      const left = await store.backlog();
      expect(left).toMatchObject({ live: 3, due: 1 });
      expect(Math.abs(left.oldestSeconds - 60)).toBeLessThan(10);
      await decide(oldest);
      await claim("a", 0);
      // A lapsed lease holds nothing.
      expect(await store.backlog()).toMatchObject({ live: 2, due: 1 });
    });

    test("a hundred claims at once share ten runs without a double", async () => {
      for (let i = 0; i < 10; i++) await start();
      const claims = await Promise.all(Array.from({ length: 100 }, (_, i) => store.claimRun(`w${i}`, 30)));
      const claimed = claims.flatMap((one) => (one === null ? [] : [one.run.id]));
      expect(claimed.length).toBe(10);
      expect(new Set(claimed).size).toBe(10);
    });

    test("what waits is counted up to a bound, and a run that is not admitted leaves nothing behind", async () => {
      for (let i = 0; i < 5; i++) await start();
      await start({ dueAt: NEVER });
      await claim("a");
      expect(await store.countWaiting(100)).toBe(4);
      expect(await store.countWaiting(3)).toBe(3);
      const key = { route: "POST /v1/runs", key: "refused", bodyDigest: "sha256:body" };
      const full = new Error("no room");
      const refused = start({
        key,
        admit: () => {
          throw full;
        },
      });
      await expect(refused).rejects.toBe(full);
      expect(await store.countWaiting(100)).toBe(4);
      const { run, outcome } = await start({ key });
      expect(outcome).toBe("created");
      const again = await start({
        key,
        admit: () => {
          throw full;
        },
      });
      expect(again).toMatchObject({ outcome: "repeated", run: { run: { id: run.run.id } } });
    });

    test("a lapsed lease lets another worker in and fences the first one out", async () => {
      const { run } = await start();
      const first = await claim("a", 0);
      const second = await claim("b");
      expect(second.run.id).toBe(run.run.id);
      expect(second.epoch).toBe(2);
      expect(await store.renewLease(first, 30)).toBe(false);
      expect(await decide(first)).toBe(false);
      expect(await store.failRun(first, "internal", "late")).toBe(false);
      expect(await store.renewLease(second, 30)).toBe(true);
      expect(await decide(second)).toBe(true);
      const stored = await store.readRun("default", run.run.id);
      expect(stored).toMatchObject({
        status: "done",
        verdict: "pause",
        summary: "pause: a test",
        score: 50,
        looks: 1,
        report: '{"report":1}',
        dueAt: null,
        error: null,
      });
      expect(await store.listLooks("default", run.run.id, { limit: 10, cursor: null })).toEqual({
        items: [{ n: 1, at: second.now, decision: "pause", report: '{"report":1}' }],
        nextCursor: null,
      });
    });

    test("a terminal run never changes, not even by hand", async () => {
      const { run } = await start();
      await decide(await claim("a"));
      await expect(
        sql.query("update touchstone.runs set verdict = 'promote' where id = $1", [run.run.id]),
      ).rejects.toThrow(/never changes/);
      expect(await store.cancelRun("default", run.run.id, "too late", "a test")).toMatchObject({
        status: "done",
        verdict: "pause",
      });
      expect(await store.claimRun("b", 30, run.run.id)).toBeNull();
    });

    test("a run that was handed back is due again and has lost no attempt", async () => {
      await start();
      for (let i = 0; i < 5; i++) await store.handBack(await claim("a"));
      expect(await store.endCrashLoops()).toEqual([]);
      expect((await claim("a")).epoch).toBe(6);
    });

    test("claims without a look are counted, and ten of them end the run as a crash loop", async () => {
      const { run } = await start();
      for (let i = 1; i <= MOST_CLAIMS; i++) {
        expect(await store.endCrashLoops()).toEqual([]);
        expect((await claim("a", 0)).claims).toBe(i);
      }
      expect(await store.claimRun("a", 0)).toBeNull();
      expect(await store.endCrashLoops()).toEqual([run.run.id]);
      expect(await store.readRun("default", run.run.id)).toMatchObject({
        status: "failed",
        verdict: null,
        error: { code: "crash_loop" },
      });
    });

    test("after four claims in vain each keeps the run twice as long as the one before, and a look that is stored ends that", async () => {
      const { run } = await start();
      const { id } = run.run;
      const leased = async () => {
        const text =
          "select extract(epoch from lease_until - now())::float8 as seconds from touchstone.runs where id = $1";
        const [row] = await sql.query<{ seconds: number }>(text, [id]);
        await sql.query("update touchstone.runs set lease_until = now() where id = $1", [id]);
        return Math.round((row?.seconds ?? NaN) / 100);
      };
      const leases: number[] = [];
      for (let i = 1; i < MOST_CLAIMS; i++) {
        await claim("a", 100);
        leases.push(await leased());
      }
      expect(leases).toEqual([1, 1, 1, 1, 2, 4, 8, 16, 32]);
      const last = await claim("a", 100);
      expect(await store.renewLease(last, 100)).toBe(true);
      expect(await leased()).toBe(64);
      expect(await decide(last, "{}", last.now)).toBe(true);
      await claim("a", 100);
      expect(await leased()).toBe(1);
    });

    test("a crash loop that cannot be read does not keep another from ending", async () => {
      const [unreadable, other] = [await start(), await start()];
      for (let i = 0; i < 2 * MOST_CLAIMS; i++) await claim("a", 0);
      await sql.query("update touchstone.runs set snapshot = '{}' where id = $1", [unreadable.run.run.id]);
      await expect(store.endCrashLoops()).rejects.toThrow("1 crash loops could not be ended");
      expect((await store.readRun("default", other.run.run.id))?.status).toBe("failed");
    });

    test("a run whose form is newer than this program is left to newer workers", async () => {
      const { run } = await start();
      const newer = PAYLOAD_VERSION + 1;
      await sql.query(
        `update touchstone.runs set v = ${newer}, claims = ${MOST_CLAIMS}, lease_until = now() where id = $1`,
        [run.run.id],
      );
      expect(await store.endCrashLoops()).toEqual([]);
      await sql.query("update touchstone.runs set claims = 0 where id = $1", [run.run.id]);
      expect(await store.claimRun("a", 5)).toBeNull();
      expect(await store.claimRun("a", 5, run.run.id)).toBeNull();
    });

    test("a run that a promotion does not end is left alone by workers that know of no such", async () => {
      const { run } = await start();
      await store.cancelRun("default", run.run.id, "cancelled by request", "a test");
      const build = () => ({
        run: { ...runOf({ id: "run_watch" }), promotionEnds: false as const },
        dueAt: PAST,
      });
      const admit = () => undefined;
      const watch = {
        project: "default",
        requestDigest: "sha256:watch",
        idempotency: null,
        rollout: null,
        actor: "a test",
        admit,
      };
      expect((await store.startRun({ ...watch, build })).run.run.promotionEnds).toBe(false);
      expect(await sql.query("select id, v from touchstone.runs order by v")).toEqual([
        { id: run.run.id, v: 1 },
        { id: "run_watch", v: 2 },
      ]);
    });

    describe("for rollout controllers", () => {
      const rollout = { namespace: "prod", name: "agent", revision: "7", stage: "1" };
      const asked = {
        rollout,
        analysis: "small",
        baseline: { label: "v1" },
        candidate: { label: "v2" },
      };

      test("a run is found by what it judges, the newest attempt first", async () => {
        expect(await store.findPolled("default", asked)).toBeNull();
        const { run } = await start({ rollout, dueAt: NEVER });
        expect(await store.findPolled("default", asked)).toEqual({
          id: run.run.id,
          status: "queued",
          requestDigest: "sha256:body",
          dueAt: NEVER,
          lateSeconds: 0,
          attempt: 1,
          verdict: null,
          override: null,
          summary: null,
          score: null,
          error: null,
        });
        for (const other of [
          { ...asked, rollout: { ...rollout, stage: "2" } },
          { ...asked, rollout: { ...rollout, revision: "8" } },
          { ...asked, analysis: "other" },
          { ...asked, baseline: { label: "v0" } },
          { ...asked, candidate: { label: "v3" } },
        ])
          expect(await store.findPolled("default", other)).toBeNull();
        expect(await store.findPolled("other", asked)).toBeNull();
        await store.cancelRun("default", run.run.id, "cancelled by request", "a test");
        expect(await store.findPolled("default", asked)).toMatchObject({ dueAt: null, error: { code: "cancelled" } });
        const second = await start({ rollout });
        const polled = await store.findPolled("default", asked);
        expect(polled).toMatchObject({ id: second.run.run.id, attempt: 2 });
        expect(polled?.lateSeconds).toBeGreaterThan(1e6);
      });

      test("the first time that an answer is given is remembered, and another answer is another first time", async () => {
        const { run } = await start();
        const { id } = run.run;
        expect(await store.tellAnswer(id, "pause")).toBe(0);
        await sql.query("update touchstone.controlled_runs set told_at = told_at - interval '40 seconds'");
        for (const _ of [1, 2]) expect(Math.floor((await store.tellAnswer(id, "pause")) / 30)).toBe(1);
        expect(await store.tellAnswer(id, "promote")).toBe(0);
      });

      test("who has been told of the end of a run gets a new one, however short ago that was", async () => {
        const first = await start({ rollout });
        await decide(await claim("a"));
        expect((await start({ rollout })).outcome).toBe("same");
        const anew = await start({ rollout, anew: true });
        expect(anew).toMatchObject({ outcome: "created", run: { attempt: 2 } });
        expect(anew.run.run.id).not.toBe(first.run.run.id);
        expect((await start({ rollout, anew: true })).run.run.id).toBe(anew.run.run.id);
      });

      test("the newest run of a rollout is found under each analysis, or under one", async () => {
        const place = { namespace: "prod", name: "agent" };
        expect(await store.listWatches("default", place)).toEqual([]);
        await start({ rollout });
        const { run } = await start({ rollout: { ...rollout, revision: "8" } });
        const [watch, ...others] = await store.listWatches("default", place);
        expect(others).toEqual([]);
        expect(watch?.stored).toEqual(run);
        expect(Math.abs(Date.parse(watch?.now ?? "") - Date.now())).toBeLessThan(60_000);
        expect(await store.listWatches("default", { ...place, analysis: "small" })).toHaveLength(1);
        expect(await store.listWatches("default", { ...place, analysis: "other" })).toEqual([]);
        expect(await store.listWatches("default", { ...place, name: "other" })).toEqual([]);
      });

      test("a first step is free once for each time that it is granted", async () => {
        const { id } = (await start()).run.run;
        expect(await store.takeFreeAdvance(id)).toBe(false);
        await store.grantFreeAdvance(id);
        await store.grantFreeAdvance(id);
        const taken = await Promise.all([1, 2, 3].map(() => store.takeFreeAdvance(id)));
        expect(taken.filter((one) => one)).toHaveLength(1);
      });

      test("weights are kept in their order, each once, and go with the run", async () => {
        const { id } = (await start()).run.run;
        expect((await store.readRun("default", id))?.told).toBeNull();
        for (const weight of [10, 10, 20, 10, 0]) await store.addWeight(id, weight);
        await Promise.all([30, 40, 50].map((weight) => store.addWeight(id, weight)));
        const told = (await store.readRun("default", id))?.told;
        expect(told?.outcome).toBeNull();
        expect(told?.weights.slice(0, 4).map(({ weight }) => weight)).toEqual([10, 20, 10, 0]);
        expect(told?.weights).toHaveLength(7);
        await sql.query("delete from touchstone.runs where id = $1", [id]);
        expect(await sql.query("select from touchstone.weights")).toEqual([]);
      });

      test("the end of a rollout ends the window of its run, and stays what it was", async () => {
        const { id } = (await start({ dueAt: NEVER })).run.run;
        await store.closeWatch("default", id, "failed", 0);
        const closed = await store.readRun("default", id);
        expect(closed?.told?.outcome?.outcome).toBe("failed");
        expect((await claim("a")).run.id).toBe(id);
        await store.closeWatch("default", id, "succeeded", 0);
        expect((await store.readRun("default", id))?.told).toEqual(closed?.told);
      });

      test("the end of a rollout is remembered of a run that has ended", async () => {
        const { id } = (await start()).run.run;
        await decide(await claim("a"));
        await store.closeWatch("default", id, "succeeded", 0);
        expect(await store.readRun("default", id)).toMatchObject({
          verdict: "pause",
          told: { outcome: { outcome: "succeeded" }, weights: [] },
        });
      });
    });

    test("a cancelled run is taken from its worker", async () => {
      const { run } = await start();
      const claimed = await claim("a");
      expect(await store.cancelRun("default", run.run.id, "cancelled by request", "a test")).toMatchObject({
        status: "cancelled",
        error: { code: "cancelled", detail: "cancelled by request" },
      });
      expect(await store.renewLease(claimed, 30)).toBe(false);
      expect(await decide(claimed)).toBe(false);
      expect(await store.endedAmong([run.run.id, "run_unknown"])).toEqual([run.run.id]);
      expect(await store.cancelRun("default", "run_unknown", "", "a test")).toBeNull();
    });

    test("the same idempotency key and body give the same run, another body is refused", async () => {
      const key = { route: "POST /v1/runs", key: "k1", bodyDigest: "sha256:a" };
      const [first, ...rest] = await Promise.all(Array.from({ length: 10 }, () => start({ key })));
      expect(new Set(rest.map(({ run }) => run.run.id))).toEqual(new Set([first?.run.run.id]));
      expect([first, ...rest].filter((one) => one?.outcome === "created").length).toBe(1);
      await expect(start({ key: { ...key, bodyDigest: "sha256:b" } })).rejects.toMatchObject({
        code: "idempotency_mismatch",
      });
      expect((await start({ key: { ...key, key: "k2" } })).outcome).toBe("created");
      expect((await store.listRuns("default", {}, { limit: 100, cursor: null })).items.length).toBe(2);
    });

    const rollout: Rollout = { namespace: "prod", name: "agent", revision: "7" };

    test("one rollout has one live run, however often and however at once it is posted", async () => {
      const started = await Promise.all(Array.from({ length: 20 }, () => start({ rollout })));
      expect(new Set(started.map(({ run }) => run.run.id)).size).toBe(1);
      expect(started.filter(({ outcome }) => outcome === "created").length).toBe(1);
      await expect(start({ rollout, digest: "sha256:other" })).rejects.toMatchObject({ code: "conflict" });
      expect((await start({ rollout, candidate: "v3" })).outcome).toBe("created");
    });

    test("a repeated post finds the decided run for a minute and opens the next attempt later", async () => {
      const first = await start({ rollout });
      expect(first.run.attempt).toBe(1);
      await decide(await claim("a"));
      expect(await start({ rollout })).toMatchObject({ outcome: "same", run: { status: "done", attempt: 1 } });
      await sql.query("alter table touchstone.runs disable trigger runs_terminal_is_final");
      await sql.query("update touchstone.runs set decided_at = decided_at - interval '61 s'");
      await sql.query("alter table touchstone.runs enable trigger runs_terminal_is_final");
      expect(await start({ rollout })).toMatchObject({ outcome: "created", run: { status: "queued", attempt: 2 } });
      expect(await start({ rollout: { ...rollout, attempt: 1 } })).toMatchObject({
        outcome: "same",
        run: { status: "done", attempt: 1 },
      });
    });

    test("a newer revision supersedes the older one, and never the other way round", async () => {
      const old = await start({ rollout: { ...rollout, revision: "9" } });
      const next = await start({ rollout: { ...rollout, revision: "10" } });
      expect(next.superseded).toEqual([old.run.run.id]);
      expect(await store.readRun("default", old.run.run.id)).toMatchObject({
        status: "cancelled",
        error: { code: "superseded" },
      });
      await expect(start({ rollout: { ...rollout, revision: "9" } })).rejects.toMatchObject({ code: "conflict" });
      expect(await store.readRun("default", next.run.run.id)).toMatchObject({ status: "queued" });
      expect((await start({ rollout: { ...rollout, revision: "abc" } })).superseded).toEqual([next.run.run.id]);
    });

    test("runs are listed newest first, page by page, and filtered", async () => {
      const started: string[] = [];
      for (let i = 0; i < 5; i++) started.push((await start({ candidate: i % 2 === 0 ? "even" : "odd" })).run.run.id);
      await start({ project: "other" });
      const pages: string[][] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Store["listRuns"]>> = await store.listRuns("default", {}, { limit: 2, cursor });
        pages.push(page.items.map(({ run }) => run.id));
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
      expect(pages.flat()).toEqual(started.toReversed());
      const listed = async (filter: Parameters<Store["listRuns"]>[1]) =>
        (await store.listRuns("default", filter, { limit: 10, cursor: null })).items.length;
      expect(await listed({ version: "even" })).toBe(3);
      expect(await listed({ version: "v1" })).toBe(5);
      expect(await listed({ analysis: "small", status: "queued" })).toBe(5);
      expect(await listed({ analysis: "other" })).toBe(0);
      expect(await listed({ verdict: "promote" })).toBe(0);
      expect(await listed({ since: PAST, until: NEVER })).toBe(5);
      expect(await listed({ since: NEVER })).toBe(0);
      await expect(store.listRuns("default", {}, { limit: 10, cursor: "x'; drop" })).rejects.toMatchObject({
        code: "invalid_parameter",
      });
    });

    const analysis = (name: string, origin: StoredAnalysis["origin"]): StoredAnalysis => {
      const read = readAnalysis(SMALL_ANALYSIS.replace("name: small", `name: ${name}`), "the test");
      return { name, origin, document: read.document, digest: analysisDigest(read.analysis) };
    };

    const lookWith = (
      claimed: Claim,
      body: Uint8Array<ArrayBuffer> | null,
      limitBytes: number,
      nextAt: string | null,
    ) =>
      store.storeLook(claimed, {
        at: claimed.now,
        decision: nextAt === null ? "pause" : "continue",
        summary: "a test",
        score: null,
        report: `{"look":${claimed.looks + 1}}`,
        state: {
          v: 2,
          looks: claimed.looks + 1,
          metrics: {},
          digest: `sha256:${claimed.looks + 1}`,
          sampleRatio: null,
        },
        nextAt,
        evidence: { engine: "touchstone test", bytes: body?.length ?? 9999, limitBytes, body },
      });

    test("the evidence of a look is stored with it, to the byte, and a look without any has none", async () => {
      const { run } = await start();
      const body = Uint8Array.from({ length: 700 }, (_, i) => (i * 89) % 256);
      await lookWith(await claim("a"), body, 1000, PAST);
      await decide(await claim("a"));
      const { items, nextCursor } = await store.listEvidence("default", run.run.id, { limit: 1, cursor: null });
      expect(items).toEqual([
        {
          n: 1,
          at: expect.any(String),
          report: '{"look":1}',
          engine: "touchstone test",
          bytes: 700,
          state: null,
          body: expect.any(Uint8Array),
        },
      ]);
      expect(Buffer.compare(items[0]?.body ?? new Uint8Array(0), body)).toBe(0);
      const next = await store.listEvidence("default", run.run.id, { limit: 1, cursor: nextCursor });
      expect(next).toMatchObject({
        items: [{ n: 2, engine: null, bytes: null, state: null, body: null }],
        nextCursor: null,
      });
      expect((await store.listEvidence("other", run.run.id, { limit: 1, cursor: null })).items).toEqual([]);
    });

    test("evidence beyond the limit of a run takes the place of the older, with the state that it follows from", async () => {
      const { run } = await start();
      const body = (length: number) => new Uint8Array(length).fill(1);
      for (const length of [400, 400, 400]) await lookWith(await claim("a"), body(length), 1000, PAST);
      await lookWith(await claim("a"), null, 1000, PAST);
      await lookWith(await claim("a"), body(100), 1000, null);
      const { items } = await store.listEvidence("default", run.run.id, { limit: 9, cursor: null });
      expect(
        items.map(({ bytes, state, body: kept }) => [
          bytes,
          kept?.length ?? null,
          state === null ? null : JSON.parse(state).digest,
        ]),
      ).toEqual([
        [400, null, null],
        [400, null, null],
        [400, 400, "sha256:2"],
        [9999, null, null],
        [100, 100, "sha256:4"],
      ]);
    });

    /** As if everything in the record had happened so much earlier. */
    const age = async (interval: string) => {
      await sql.query("alter table touchstone.runs disable trigger runs_terminal_is_final");
      await sql.query(
        `update touchstone.runs set created_at = created_at - interval '${interval}', decided_at = decided_at - interval '${interval}', due_at = due_at - interval '${interval}'`,
      );
      await sql.query("alter table touchstone.runs enable trigger runs_terminal_is_final");
      await sql.query(`update touchstone.idempotency_keys set created_at = created_at - interval '${interval}'`);
    };
    const DAY = 86_400;
    const countOf = async (table: string) =>
      (await sql.query<{ n: number }>(`select count(*)::int as n from touchstone.${table}`))[0]?.n;

    test("runs that ended long ago are deleted with all that is theirs, live ones and young ones stay", async () => {
      const key = { route: "POST /v1/runs", key: "old", bodyDigest: "sha256:a" };
      const old = await start({ key });
      await lookWith(await claim("a"), new Uint8Array(500), 1000, null);
      const cancelled = await start();
      await store.cancelRun("default", cancelled.run.run.id, "not wanted", "a test");
      const live = await start({ key: { ...key, key: "live" } });
      await lookWith(await claim("a"), new Uint8Array(500), 1000, NEVER);
      const overdue = await start();
      await age("91 days");
      const young = await start({ key: { ...key, key: "young" } });
      await lookWith(await claim("a", 30, young.run.run.id), new Uint8Array(500), 1000, null);

      const { contentBytes, diskBytes } = await store.measure();
      expect(await store.deleteEndedRuns(92 * DAY, 10)).toEqual({ runs: 0, contentBytes: 0 });
      const first = await store.deleteEndedRuns(90 * DAY, 1);
      const second = await store.deleteEndedRuns(90 * DAY, 1);
      expect([first?.runs, second?.runs]).toEqual([1, 1]);
      expect(await store.deleteEndedRuns(90 * DAY, 10)).toEqual({ runs: 0, contentBytes: 0 });
      expect((await store.measure()).contentBytes).toBe(
        contentBytes - (first?.contentBytes ?? 0) - (second?.contentBytes ?? 0),
      );
      expect(diskBytes).toBeGreaterThan(contentBytes);

      expect(await store.readRun("default", old.run.run.id)).toBeNull();
      expect(await store.readRun("default", cancelled.run.run.id)).toBeNull();
      expect(await store.readRun("default", live.run.run.id)).toMatchObject({ status: "running" });
      expect(await store.readRun("default", overdue.run.run.id)).toMatchObject({ status: "queued" });
      expect(
        (await store.listEvidence("default", young.run.run.id, { limit: 9, cursor: null })).items[0]?.body?.length,
      ).toBe(500);
      expect([await countOf("runs"), await countOf("looks"), await countOf("evidence")]).toEqual([3, 2, 2]);
      // The key of the deleted run is free, those of the others are not, however old.
      expect(await store.deleteOldKeys(90 * DAY, 10)).toBe(0);
      expect((await start({ key })).outcome).toBe("created");
      expect((await start({ key: { ...key, key: "live" } })).outcome).toBe("repeated");
    });

    test("old idempotency keys of no stored run are deleted, a few at a time", async () => {
      for (const [index, name] of ["a", "b", "c"].entries())
        await store.putAnalysis(
          "default",
          analysis(name, "api"),
          { route: "PUT", key: `k${index}`, bodyDigest: "d" },
          "a test",
        );
      await age("91 days");
      await store.putAnalysis(
        "default",
        analysis("d", "api"),
        { route: "PUT", key: "young", bodyDigest: "d" },
        "a test",
      );
      expect(await store.deleteOldKeys(90 * DAY, 2)).toBe(2);
      expect(await store.deleteOldKeys(90 * DAY, 2)).toBe(1);
      expect(await countOf("idempotency_keys")).toBe(1);
    });

    test("what deleted attempts spent of an error budget stays spent, and attempts are counted on", async () => {
      const seen: unknown[] = [];
      const attempt = (place: Rollout) =>
        store.startRun({
          project: "default",
          requestDigest: "sha256:body",
          rollout: place,
          idempotency: null,
          actor: "a test",
          admit: () => undefined,
          build: (_, earlier) => {
            seen.push(earlier);
            return { run: runOf({ id: `run_${(ids += 1)}`, rollout: place }), dueAt: PAST };
          },
        });
      for (const n of [1, 2]) {
        const started = await attempt(rollout);
        expect(started.run.attempt).toBe(n);
        const claimed = await claim("a");
        await store.storeLook(claimed, {
          at: claimed.now,
          decision: "pause",
          summary: "a test",
          score: null,
          report: "{}",
          state: {
            v: 2,
            looks: 1,
            metrics: {},
            digest: "d",
            sampleRatio: null,
            spent: { rollback: 0.25, promote: 0.125 },
          },
          nextAt: null,
        });
        await age("91 days");
        expect(await store.deleteEndedRuns(90 * DAY, 10)).toMatchObject({ runs: 1 });
      }
      expect((await attempt(rollout)).run.attempt).toBe(3);
      const used = (rollback: number, promote: number) => {
        const own = { rollback, promote };
        return { stage: own, rollout: own, runs: [] };
      };
      expect(seen.filter((earlier) => earlier !== null)).toEqual([used(0, 0), used(0.25, 0.125), used(0.5, 0.25)]);
    });

    describe("stages of one rollout", () => {
      const shares = { rollback: 0.16, promote: 0.8 };
      const seen: EarlierRuns[] = [];
      beforeEach(() => void seen.splice(0));

      const startStage = (stage?: string, place: Rollout = rollout) =>
        store.startRun({
          project: "default",
          requestDigest: "sha256:body",
          rollout: stage === undefined ? place : { ...place, stage },
          idempotency: null,
          actor: "a test",
          admit: () => undefined,
          build(_, earlier) {
            if (earlier !== null) seen.push(earlier);
            const run = runOf({
              id: `run_${(ids += 1)}`,
              rollout: { ...place, ...(stage === undefined ? {} : { stage }) },
            });
            return { run: { ...run, budgetShares: shares }, dueAt: PAST };
          },
        });

      const end = async (decision: Verdict, spent = { rollback: 0.02, promote: 0.1 }) => {
        const claimed = await claim("a");
        await store.storeLook(claimed, {
          at: claimed.now,
          decision,
          summary: `${decision}: a test`,
          score: null,
          report: "{}",
          state: { v: 2, looks: 1, metrics: {}, digest: "d", sampleRatio: null, spent },
          nextAt: null,
        });
      };

      test("a live run counts with all it may use, one that its evidence ended early with all it might have had", async () => {
        await startStage("1");
        await startStage("5");
        expect(seen.at(-1)).toMatchObject({
          stage: { rollback: 0, promote: 0 },
          rollout: { rollback: 0.16, promote: 0.8 },
        });
        await end("promote");
        await startStage("25");
        // The promoted one leaves the promote budget to the other stages, and nothing of its share of the rollback budget.
        expect(seen.at(-1)?.rollout.rollback).toBeCloseTo(0.32, 12);
        expect(seen.at(-1)?.rollout.promote).toBeCloseTo(0.8, 12);
        expect(seen.at(-1)?.runs.map(({ stage, verdict }) => [stage, verdict])).toEqual([
          ["5", null],
          ["1", "promote"],
        ]);
        await end("pause");
        await startStage("50");
        expect(seen.at(-1)?.rollout.rollback).toBeCloseTo(0.16 + 0.02 + 0.16, 12);
        expect(seen.at(-1)?.rollout.promote).toBeCloseTo(0.1 + 0.8, 12);
      });

      test("another revision, baseline or candidate is another rollout with budgets of its own", async () => {
        await startStage("1");
        await startStage("1", { ...rollout, revision: "8" });
        expect(seen.at(-1)).toEqual({
          stage: { rollback: 0, promote: 0 },
          rollout: { rollback: 0, promote: 0 },
          runs: [],
        });
      });

      test("what stages have spent stays spent when retention deletes their runs", async () => {
        await startStage("1");
        await end("promote");
        await startStage("5");
        await end("pause");
        await age("91 days");
        expect(await store.deleteEndedRuns(90 * DAY, 10)).toMatchObject({ runs: 2 });
        await startStage("5");
        const last = seen.at(-1);
        expect(last?.stage).toEqual({ rollback: 0.02, promote: 0.1 });
        expect(last?.rollout.rollback).toBeCloseTo(0.18, 12);
        // The promote budget of the other stage was its own.
        expect(last?.rollout.promote).toBeCloseTo(0.1, 12);
        const [found] = (await store.listRollouts("default", {}, { limit: 10, cursor: null })).items;
        expect(found?.deleted.length).toBe(2);
        expect(found?.deleted).toEqual(
          expect.arrayContaining([
            { stage: "1", attempts: 1, used: { rollback: 0.16, promote: 0.1 } },
            { stage: "5", attempts: 1, used: { rollback: 0.02, promote: 0.1 } },
          ]),
        );
      });

      test("rollouts are listed by their newest run, page by page, each with all of its runs", async () => {
        const places = ["a", "b", "c"].map((name): Rollout => ({ ...rollout, name }));
        for (const place of places) await startStage("1", place);
        await startStage("5", places[0]);
        await start({});
        const pages: string[][] = [];
        let cursor: string | null = null;
        do {
          const page: Awaited<ReturnType<Store["listRollouts"]>> = await store.listRollouts(
            "default",
            {},
            { limit: 2, cursor },
          );
          pages.push(
            page.items.map(({ runs }) => runs.map(({ run }) => `${run.rollout?.name}/${run.rollout?.stage}`).join(" ")),
          );
          cursor = page.nextCursor;
        } while (cursor !== null);
        expect(pages).toEqual([["a/5 a/1", "c/1"], ["b/1"]]);
        const one = await store.listRollouts("default", { name: "b" }, { limit: 2, cursor: null });
        expect(one.items.map(({ runs }) => runs.length)).toEqual([1]);
        expect((await store.listRollouts("other", {}, { limit: 2, cursor: null })).items).toEqual([]);
      });
    });

    test("analyses are put, read, listed and deleted; those of files stay with the files", async () => {
      await store.putAnalysis("default", analysis("b", "api"), null, "a test");
      await store.replaceFileAnalyses("default", [analysis("a", "file"), analysis("c", "file")]);
      expect((await store.listAnalyses("default", { limit: 2, cursor: null })).items.map(({ name }) => name)).toEqual([
        "a",
        "b",
      ]);
      expect((await store.listAnalyses("default", { limit: 2, cursor: "b" })).items.map(({ name }) => name)).toEqual([
        "c",
      ]);
      expect(await store.readAnalysis("default", "b")).toEqual(analysis("b", "api"));
      await expect(store.putAnalysis("default", analysis("a", "api"), null, "a test")).rejects.toMatchObject({
        code: "conflict",
      });
      await expect(store.deleteAnalysis("default", "a", "a test")).rejects.toMatchObject({ code: "conflict" });
      expect(await store.deleteAnalysis("default", "b", "a test")).toBe(true);
      expect(await store.deleteAnalysis("default", "b", "a test")).toBe(false);
      await store.replaceFileAnalyses("default", [analysis("c", "file")]);
      expect(await store.readAnalysis("default", "a")).toBeNull();
    });

    test("the text of a caller is data, whatever it holds", async () => {
      const evil = "'; drop table touchstone.runs; --";
      const { run } = await start({ rollout: { namespace: evil.replaceAll(" ", "_"), name: "{}", revision: '"' } });
      expect(await store.readRun(evil, run.run.id)).toBeNull();
      expect(await store.readRun("default", run.run.id)).toMatchObject({
        run: { rollout: { namespace: evil.replaceAll(" ", "_") } },
      });
    });

    test("the end of a run is told once to each of its targets, with what was decided and the link of the audit log", async () => {
      const { run } = await start({ notify: ["pager", "chat"] });
      await start();
      const report = canonicalJson({ reasons: [{ code: "not_proven_safe", metric: null, text: "time is up" }] });
      expect(await decide(await claim("a"), report)).toBe(true);
      expect(await decide(await claim("a"), report)).toBe(true);
      const id = run.run.id;
      const deliveries = await store.claimDeliveries(30, 10, []);
      expect(deliveries.map(({ target }) => target).toSorted()).toEqual(["chat", "pager"]);
      expect(new Set(deliveries.map(({ body }) => body)).size).toBe(1);
      const event = RunEvent.parse(JSON.parse(deliveries[0]?.body ?? ""));
      expect(event).toMatchObject({
        id: `evt_${id.slice(4)}_end`,
        type: "run.done",
        data: { run: id, verdict: "pause", effectiveVerdict: "pause", override: null, audit: expect.anything() },
      });
      expect(event.data.reasons).toHaveLength(1);
      const audit = await store.listAudit("default", id, { limit: 10, cursor: null });
      expect(audit.items).toMatchObject([{ action: "run.done", actor: "worker a", hash: event.data.audit.hash }]);
      expect(audit.items[0]?.detail).toMatchObject({ verdict: "pause", baseline: "v1", candidate: "v2" });
    });

    test("a look that is not mine tells nothing", async () => {
      await start({ notify: ["pager"] });
      const late = await claim("a", 0);
      await claim("b");
      expect(await decide(late)).toBe(false);
      expect(await store.claimDeliveries(30, 10, [])).toEqual([]);
    });

    test("cancelled, superseded, failed and crashed runs are told too", async () => {
      const place = { namespace: "shop", name: "agent" };
      const old = await start({ rollout: { ...place, revision: "1" }, notify: ["pager"] });
      await start({ rollout: { ...place, revision: "2" }, notify: ["pager"], candidate: "v3" });
      const failed = await claim("a");
      await store.failRun(failed, "internal", "a bug");
      const cancelled = await start({ notify: ["pager"] });
      await store.cancelRun("default", cancelled.run.run.id, "not wanted", "a test");
      const crashed = await start({ notify: ["pager"] });
      for (let i = 0; i < MOST_CLAIMS; i++) await claim(`w${i}`, 0, crashed.run.run.id);
      expect(await store.endCrashLoops()).toEqual([crashed.run.run.id]);
      const events = (await store.claimDeliveries(30, 10, [])).map(({ body }) => RunEvent.parse(JSON.parse(body)));
      expect(Object.fromEntries(events.map(({ type, data }) => [data.run, [type, data.error?.code]]))).toEqual({
        [old.run.run.id]: ["run.cancelled", "superseded"],
        [failed.run.id]: ["run.failed", "internal"],
        [cancelled.run.run.id]: ["run.cancelled", "cancelled"],
        [crashed.run.run.id]: ["run.failed", "crash_loop"],
      });
    });

    test("a delivery belongs to one attempt until its lease lapses, waits as long as it is told to, and ends", async () => {
      const { run } = await start({ notify: ["pager"] });
      await decide(await claim("a"), '{"reasons":[]}');
      const [first] = await store.claimDeliveries(0, 10, []);
      const [second] = await store.claimDeliveries(30, 10, []);
      expect([first?.attempts, second?.attempts]).toEqual([1, 2]);
      expect(second?.body).toBe(first?.body);
      expect(await store.claimDeliveries(30, 10, [])).toEqual([]);
      if (first === undefined || second === undefined) throw new Error("nothing was due");
      expect(await store.settleDelivery(first, { kind: "delivered" })).toBe(false);
      expect(await store.settleDelivery(second, { kind: "later", seconds: 0, reason: "503" })).toBe(true);
      expect(await store.outboxLag()).toMatchObject({ waiting: 1 });
      expect(await store.claimDeliveries(30, 10, ["pager"])).toEqual([]);
      const [third] = await store.claimDeliveries(30, 10, []);
      if (third === undefined) throw new Error("nothing was due");
      expect(await store.settleDelivery(third, { kind: "later", seconds: 3600, reason: "429" })).toBe(true);
      expect(await store.claimDeliveries(30, 10, [])).toEqual([]);
      expect(await store.listDeliveries("default", run.run.id)).toMatchObject([
        { target: "pager", attempts: 3, lastError: "429", deliveredAt: null },
      ]);
      await sql.query("update touchstone.outbox set next_at = now()");
      const [fourth] = await store.claimDeliveries(30, 10, []);
      if (fourth === undefined) throw new Error("nothing was due");
      expect(await store.settleDelivery(fourth, { kind: "given_up", reason: "410" })).toBe(true);
      expect(await store.outboxLag()).toEqual({ waiting: 0, oldestSeconds: 0 });
    });

    test("what waited too long for given targets is given up, but for what is being attempted", async () => {
      const { run } = await start({ notify: ["pager", "chat", "log"] });
      await decide(await claim("a"), '{"reasons":[]}');
      const age = "update touchstone.outbox set created_at = now() - interval '1 hour'";
      expect(await store.giveUpOldDeliveries(["pager", "chat", "log"], 60)).toEqual([]);
      await sql.query(age);
      const [leased] = await store.claimDeliveries(30, 1, ["pager", "chat"]);
      expect(leased?.target).toBe("log");
      expect(await store.giveUpOldDeliveries(["pager", "log"], 7200)).toEqual([]);
      expect(await store.giveUpOldDeliveries(["pager", "log"], 3600)).toEqual(["pager"]);
      expect(await store.giveUpOldDeliveries(["pager", "log"], 3600)).toEqual([]);
      const views = await store.listDeliveries("default", run.run.id);
      expect(views.map(({ target, givenUpAt, lastError }) => [target, givenUpAt !== null, lastError])).toEqual([
        ["chat", false, null],
        ["log", false, null],
        ["pager", true, "its target was not answering"],
      ]);
    });

    const override = (expectedVersion: number, verdict: Verdict = "promote", key: Idempotency | null = null) => ({
      verdict,
      reason: "the cost was agreed with the customer",
      actor: "ann (token)",
      expectedVersion,
      idempotency: key,
    });

    test("an override stands beside the verdict, which stays, and is told and recorded", async () => {
      const { run } = await start({ notify: ["pager"] });
      const id = run.run.id;
      await decide(await claim("a"), '{"reasons":[]}');
      const before = await store.readRun("default", id);
      const after = await store.overrideRun("default", id, override(before?.version ?? -1));
      expect(after).toMatchObject({ verdict: "pause", override: { verdict: "promote", by: "ann (token)" } });
      expect(after?.version).toBe((before?.version ?? 0) + 1);
      expect(await store.readRun("default", id)).toEqual(after);
      const listed = await store.listRuns("default", {}, { limit: 10, cursor: null });
      expect(listed.items[0]?.override?.verdict).toBe("promote");
      const events = (await store.claimDeliveries(30, 10, [])).map(({ body }) => RunEvent.parse(JSON.parse(body)));
      expect(events.find(({ type }) => type === "run.overridden")?.data).toMatchObject({
        verdict: "pause",
        effectiveVerdict: "promote",
      });
      const { items } = await store.listAudit("default", id, { limit: 10, cursor: null });
      expect(items.map(({ action, actor }) => [action, actor])).toEqual([
        ["run.done", "worker a"],
        ["run.overridden", "ann (token)"],
      ]);
      await store.overrideRun("default", id, override(after?.version ?? -1, "rollback"));
      expect((await store.readRun("default", id))?.override?.verdict).toBe("rollback");
    });

    test("of a hundred overrides of one version at once one wins, and a repeated one is the same", async () => {
      const { run } = await start();
      const id = run.run.id;
      const version = run.version;
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, () => store.overrideRun("default", id, override(version))),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "conflict" });
      const key = { route: "override", key: "k", bodyDigest: "sha256:0" };
      const first = await store.overrideRun("default", id, override(version + 1, "rollback", key));
      expect(await store.overrideRun("default", id, override(version + 1, "rollback", key))).toEqual(first);
      expect(await store.overrideRun("default", "run_unknown", override(0))).toBeNull();
    });

    test("a live run that is overridden goes on, and its verdict is its own; a cancelled run is not overridden", async () => {
      const { run } = await start();
      await store.overrideRun("default", run.run.id, override(run.version));
      await decide(await claim("a"), '{"reasons":[]}');
      expect(await store.readRun("default", run.run.id)).toMatchObject({
        status: "done",
        verdict: "pause",
        override: { verdict: "promote" },
      });
      const other = await start();
      const cancelled = await store.cancelRun("default", other.run.run.id, "", "a test");
      await expect(
        store.overrideRun("default", other.run.run.id, override(cancelled?.version ?? -1)),
      ).rejects.toMatchObject({ code: "conflict" });
    });

    test("the audit log is one chain, also of writers at once, and nothing in it can be changed", async () => {
      const before = await store.readAuditHead("chained");
      expect(before).toEqual(AUDIT_START);
      const names = Array.from({ length: 20 }, (_, i) => `a${i}`);
      await Promise.all(names.map((name) => store.putAnalysis("chained", analysis(name, "api"), null, "a test")));
      const records: AuditRecord[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Store["listAudit"]>> = await store.listAudit("chained", null, {
          limit: 7,
          cursor,
        });
        records.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(records.map(({ subject }) => subject).toSorted()).toEqual(names.toSorted());
      expect(followAudit(AUDIT_START, records)).toEqual({ head: await store.readAuditHead("chained") });
      for (const statement of [
        "update touchstone.audit set actor = 'nobody' where project = 'chained'",
        "delete from touchstone.audit where project = 'chained'",
        "truncate touchstone.audit",
      ])
        await expect(sql.query(statement)).rejects.toThrow("only ever added to");
    });
  });
}
