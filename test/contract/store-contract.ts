import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import type { Rollout } from "../../src/model/run.ts";
import type { Sql } from "../../src/store/sql.ts";
import { checkSchema, migrate } from "../../src/store/migrations.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import type { Claim, Idempotency, StartedRun, Store, StoredAnalysis } from "../../src/store/store.ts";
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
    });

    const start = (
      options: {
        rollout?: Rollout;
        key?: Idempotency;
        digest?: string;
        dueAt?: string;
        candidate?: string;
        project?: string;
      } = {},
    ): Promise<StartedRun> =>
      store.startRun({
        project: options.project ?? "default",
        requestDigest: options.digest ?? "sha256:body",
        idempotency: options.key ?? null,
        build: () => ({
          run: runOf({
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

    const decide = (claimed: Claim, report = '{"report":1}') =>
      store.storeLook(claimed, {
        at: claimed.now,
        decision: "pause",
        summary: "pause: a test",
        score: 50,
        report,
        state: { v: 2, looks: 1, metrics: {}, digest: "sha256:0", sampleRatio: null },
        nextAt: null,
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

    test("a hundred claims at once share ten runs without a double", async () => {
      for (let i = 0; i < 10; i++) await start();
      const claims = await Promise.all(Array.from({ length: 100 }, (_, i) => store.claimRun(`w${i}`, 30)));
      const claimed = claims.flatMap((one) => (one === null ? [] : [one.run.id]));
      expect(claimed.length).toBe(10);
      expect(new Set(claimed).size).toBe(10);
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
      expect(await store.cancelRun("default", run.run.id, "too late")).toMatchObject({
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

    test("three claims without a look end the run as a crash loop", async () => {
      const { run } = await start();
      for (let i = 0; i < 3; i++) await claim("a", 0);
      expect(await store.claimRun("a", 0)).toBeNull();
      expect(await store.endCrashLoops()).toEqual([run.run.id]);
      expect(await store.readRun("default", run.run.id)).toMatchObject({
        status: "failed",
        verdict: null,
        error: { code: "crash_loop" },
      });
    });

    test("a cancelled run is taken from its worker", async () => {
      const { run } = await start();
      const claimed = await claim("a");
      expect(await store.cancelRun("default", run.run.id, "cancelled by request")).toMatchObject({
        status: "cancelled",
        error: { code: "cancelled", detail: "cancelled by request" },
      });
      expect(await store.renewLease(claimed, 30)).toBe(false);
      expect(await decide(claimed)).toBe(false);
      expect(await store.endedAmong([run.run.id, "run_unknown"])).toEqual([run.run.id]);
      expect(await store.cancelRun("default", "run_unknown", "")).toBeNull();
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

    test("analyses are put, read, listed and deleted; those of files stay with the files", async () => {
      await store.putAnalysis("default", analysis("b", "api"), null);
      await store.replaceFileAnalyses("default", [analysis("a", "file"), analysis("c", "file")]);
      expect((await store.listAnalyses("default", { limit: 2, cursor: null })).items.map(({ name }) => name)).toEqual([
        "a",
        "b",
      ]);
      expect((await store.listAnalyses("default", { limit: 2, cursor: "b" })).items.map(({ name }) => name)).toEqual([
        "c",
      ]);
      expect(await store.readAnalysis("default", "b")).toEqual(analysis("b", "api"));
      await expect(store.putAnalysis("default", analysis("a", "api"), null)).rejects.toMatchObject({
        code: "conflict",
      });
      await expect(store.deleteAnalysis("default", "a")).rejects.toMatchObject({ code: "conflict" });
      expect(await store.deleteAnalysis("default", "b")).toBe(true);
      expect(await store.deleteAnalysis("default", "b")).toBe(false);
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
  });
}
