import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import pg from "pg";
import type { ErrorCode } from "../../src/errors.ts";
import { gather, look } from "../../src/look.ts";
import type { LookState } from "../../src/model/look-state.ts";
import { SourceConfig } from "../../src/model/source.ts";
import { toInstant } from "../../src/model/time.ts";
import { wireAdmission, wireSources } from "../../src/wire-sources.ts";
import { analysisWith } from "../judge/samples.ts";
import { ask } from "../sources/requests.ts";
import { createDatabase } from "./database.ts";
import { remoteWrite } from "./remote-write.ts";
import { findProgram, freePort, freeze, startPrometheus, type PrometheusOptions } from "./servers.ts";

/** What goes wrong with real sources, through the configuration that an operator writes: the reliability reference's rows F13 to F30. */

const SIGNAL = new AbortController().signal;
const postgresUrl = inject("postgresUrl");
const prometheusUrl = inject("prometheusUrl");
const START = Date.parse("2026-11-19T08:00:00Z") / 1000;
const WINDOW = { start: toInstant(START), end: toInstant(START + 1800) };
const HOUR = { window: WINDOW };

/** The source as configured, and which errors were followed by another attempt. */
function configured(config: object, environment: Record<string, string> = {}) {
  const configs = [SourceConfig.parse({ name: "s", ...config })];
  const retried: ErrorCode[] = [];
  const nothing = () => undefined;
  const admit = wireAdmission(configs, {
    waited: nothing,
    inProgress: nothing,
    retried: (_, code) => void retried.push(code),
    throttled: nothing,
    breaker: nothing,
  });
  const sources = wireSources({ configs, environment }, admit);
  const source = sources.get("s");
  if (source === undefined) throw new RangeError("no source");
  return { sources, source, retried };
}

/** A counter of one pod scraped every 15 s for half an hour: what it grew by in each scrape. */
function counter(name: string, labels: string, growth: (minute: number) => number, resetAt = Infinity): string[] {
  const lines: string[] = [];
  let total = 0;
  for (let scrape = 0; scrape <= 120; scrape++) {
    if (scrape === 4 * resetAt) total = 0;
    lines.push(`${name}{${labels}} ${total} ${START + 15 * scrape}`);
    total += growth(Math.floor(scrape / 4));
  }
  return lines;
}

const HISTORY = `${[
  "# TYPE all counter",
  ...counter("all_total", 'v="v1",pod="a"', () => 50),
  ...counter("all_total", 'v="v2",pod="a"', () => 50),
  ...counter("all_total", 'v="v3",pod="a"', () => 50, 12),
  ...counter("all_total", 'v="v3",pod="b"', () => 50),
  "# TYPE bad counter",
  // A minute that is bad for both versions, in which a replica of v3 starts anew.
  ...counter("bad_total", 'v="v1",pod="a"', (minute) => (minute === 11 || minute === 12 ? 25 : 1)),
  ...counter("bad_total", 'v="v3",pod="a"', (minute) => (minute === 11 || minute === 12 ? 25 : 1), 12),
  ...counter("bad_total", 'v="v3",pod="b"', (minute) => (minute === 11 || minute === 12 ? 25 : 1)),
  "# TYPE wide counter",
  ...Array.from({ length: 600 }, (_, i) => `wide_total{v="v2",user="u${i}"} 1 ${START + 15}`),
].join("\n")}\n# EOF\n`;
const COUNTS = "{ events: 'bad_total{v=\"{{ version }}\"}', exposure: 'all_total{v=\"{{ version }}\"}' }";
const ERRORS = { ...HOUR, kind: "errors" };

async function prometheus(options: PrometheusOptions) {
  const server = await startPrometheus(options);
  onTestFinished(() => server.stop());
  return server;
}

describe.skipIf(prometheusUrl === null || findProgram("promtool") === null)("a real Prometheus", () => {
  let server: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    server = await startPrometheus({ history: HISTORY });
  });
  afterAll(() => server.stop());
  const source = (options: object = {}) => configured({ type: "prometheus", url: server.url, ...options });

  test("traffic without an error counter is no errors; no traffic is no data (F17)", async () => {
    const { samples, faults } = await source().source.fetch(ask(COUNTS, ERRORS), SIGNAL);
    expect(faults).toEqual([]);
    expect(samples).toMatchObject({ shape: "counts", events: new Float64Array(30), at: { length: 30 } });
    if (samples.shape !== "counts") throw new Error("no counts");
    expect(new Set(samples.exposure)).toEqual(new Set([200]));
    const nobody = await source().source.fetch(ask(COUNTS, { ...ERRORS, version: { label: "v9" } }), SIGNAL);
    expect(nobody.samples).toMatchObject({ at: new Float64Array(0) });
  });

  test("the step in which one replica started anew is left out of both arms (F19)", async () => {
    const analysis = analysisWith(
      `- { name: m, kind: errors, unit: step, source: s, margin: 1pp, query: ${COUNTS} }`,
      "plan: { mode: once }",
    );
    const run = {
      id: "r",
      analysis,
      analysisDigest: "",
      baseline: { label: "v1" },
      candidate: { label: "v3" },
      window: WINDOW,
      args: {},
      rollout: null,
    };
    const { sources } = source();
    const [metric] = analysis.metrics;
    if (metric === undefined) throw new RangeError("no metric");
    const gathered = await gather(sources, run, metric, null, WINDOW.end, SIGNAL);
    const { baseline, candidate } = gathered;
    if (baseline.kind !== "answer" || candidate.kind !== "answer") throw new Error("no answer");
    // The counter falls at the scrape that ends minute 12.
    expect(candidate.answer.resets).toEqual(Float64Array.of(START + 12 * 60));
    for (const { answer } of [baseline, candidate]) {
      if (answer.samples.shape !== "counts") throw new Error("no counts");
      expect(answer.samples.at.length).toBe(29);
      expect(answer.samples.at).not.toContain(START + 12 * 60);
    }
    const { report } = await look(sources, run, null, WINDOW.end, SIGNAL);
    expect(report.findings[0]?.components[0]?.effect.estimate).toBeCloseTo(0, 10);
    expect(report.findings[0]?.warnings).toEqual([
      expect.stringMatching(/^candidate: 1 steps are left out of both arms because a counter was reset/),
    ]);
  });

  test("more series than allowed are refused with their number, and once (F30)", async () => {
    const { source: prom, retried } = source();
    const asking = prom.fetch(
      ask("{ events: 'wide_total{v=\"{{ version }}\"}', exposure: 'wide_total{v=\"{{ version }}\"}' }", ERRORS),
      SIGNAL,
    );
    await expect(asking).rejects.toMatchObject({ code: "source_too_large" });
    await expect(asking).rejects.toThrow(/returned 600 series, more than the 500 allowed; aggregate in the query/);
    expect(retried).toEqual([]);
  });

  test("a server that stands still times out, opens the breaker, and is asked again when it is back", async () => {
    const { source: prom } = source({ timeout: "300ms", breakAfter: 1, breakFor: "300ms" });
    const query = ask("{ series: 'sum(all_total)' }", HOUR);
    await freeze(server);
    onTestFinished(() => void server.process.kill("SIGCONT"));
    await expect(prom.fetch(query, SIGNAL)).rejects.toMatchObject({ code: "source_timeout" });
    await expect(prom.fetch(query, SIGNAL)).rejects.toThrow(/^s is not asked since .*s had not answered in full/);
    server.process.kill("SIGCONT");
    await expect
      .poll(
        () =>
          prom.fetch(query, SIGNAL).then(
            ({ samples }) => samples.shape,
            () => null,
          ),
        { timeout: 10_000 },
      )
      .toBe("series");
  });

  test("too many samples for the server is a refusal, asked once; a query that it gives up is asked again", async () => {
    const small = await prometheus({ history: HISTORY, args: ["--query.max-samples=10"] });
    const refused = configured({ type: "prometheus", url: small.url });
    const asking = refused.source.fetch(ask("{ series: 'sum(all_total)' }", HOUR), SIGNAL);
    await expect(asking).rejects.toMatchObject({ code: "source_refused" });
    await expect(asking).rejects.toThrow(/422 execution: .*too many samples/);
    expect(refused.retried).toEqual([]);

    const hasty = await prometheus({ history: HISTORY, args: ["--query.timeout=1ms"] });
    const timed = configured({ type: "prometheus", url: hasty.url, retries: 2 });
    const late = timed.source.fetch(ask("{ series: 'sum_over_time(sum(all_total)[1d:1s])' }", HOUR), SIGNAL);
    await expect(late).rejects.toMatchObject({ code: "source_timeout" });
    await expect(late).rejects.toThrow(/503 timeout: query timed out.*\(attempt 3\)$/);
    expect(timed.retried).toEqual(["source_timeout", "source_timeout"]);
  });

  test("an answer from which one of its stores is missing is partial, and not judged (F15)", async () => {
    const torn = await prometheus({ history: HISTORY, remoteRead: `http://127.0.0.1:${await freePort()}/read` });
    const { source: prom, retried } = configured({ type: "prometheus", url: torn.url, retries: 1 });
    const asking = prom.fetch(ask("{ series: 'sum(all_total)' }", HOUR), SIGNAL);
    await expect(asking).rejects.toMatchObject({ code: "source_partial" });
    await expect(asking).rejects.toThrow(/answered in part: .*connection refused/);
    expect(retried).toEqual(["source_partial"]);
  });

  test("samples that are written after a look has asked for them are counted once (F18)", async () => {
    const receiver = await prometheus({ native: true });
    const analysis = analysisWith(
      `- { name: m, kind: errors, unit: step, source: s, margin: 5pp, query: ${COUNTS} }`,
      "plan: { mode: scheduled, duration: 30m, every: 5m, step: 60s, settle: 0s, warmup: 0s, minDuration: 30m }",
    );
    const { sources } = configured({ type: "prometheus", url: receiver.url });
    const run = {
      id: "r",
      analysis,
      analysisDigest: "",
      baseline: { label: "v1" },
      candidate: { label: "v2" },
      window: WINDOW,
      args: {},
      rollout: null,
    };
    const write = (version: string, from: number, to: number) => {
      const samples = (perMinute: number) =>
        Array.from({ length: (to - from) * 4 + (from === 0 ? 1 : 0) }, (_, i) => {
          const scrape = from * 4 + i + (from === 0 ? 0 : 1);
          return { atSeconds: START + 15 * scrape, value: (perMinute / 4) * scrape };
        });
      return remoteWrite(receiver.url, [
        { labels: { __name__: "all_total", v: version }, samples: samples(200) },
        { labels: { __name__: "bad_total", v: version }, samples: samples(4) },
      ]);
    };
    const lookAt = (minute: number, previous: LookState | null) =>
      look(sources, run, previous, toInstant(START + 60 * minute), SIGNAL);
    const exposureOf = (state: LookState) => {
      const arm = state.metrics["m"]?.candidate;
      return arm?.shape === "counts" ? Array.from(arm.exposure) : null;
    };
    // The candidate's last two minutes come after the first look.
    await write("v1", 0, 10);
    await write("v2", 0, 3);
    const first = await lookAt(5, null);
    expect(exposureOf(first.state)).toEqual([200, 200, 200, 0, 0]);
    await write("v2", 3, 10);
    const second = await lookAt(10, first.state);
    expect(exposureOf(second.state)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(second.report.findings[0]?.reasons).toContainEqual({
      code: "late_data",
      metric: "m",
      text: "m: the candidate was still arriving: 2 of its last steps have changed since the look before: exposure 400 instead of 0, events 8 instead of 0; a longer plan.settle waits for it",
    });
    await write("v1", 10, 15);
    await write("v2", 10, 15);
    const third = await lookAt(15, second.state);
    expect(third.report.findings[0]?.reasons.map(({ code }) => code)).not.toContain("late_data");
    expect(third.report.findings[0]?.warnings).toEqual([]);
  });
});

describe.skipIf(postgresUrl === null)("a real Postgres", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createDatabase(postgresUrl ?? "");
    await database.query(
      "create function gives_up() returns int language plpgsql as $$ begin raise exception 'canceling statement due to conflict with recovery' using errcode = '40001'; end $$",
    );
  });
  afterAll(() => database.drop());
  const source = (options: object = {}, url = database.url) =>
    configured({ type: "postgres", url: "env:DB", ...options }, { DB: url });

  test("a connection that is ended in the middle of a query is asked again", async () => {
    const { source: db, retried } = source();
    const asking = db.fetch(ask('{ sql: "select 7 as value from pg_sleep(0.5)" }', HOUR), SIGNAL);
    await expect
      .poll(async () => {
        const { rows } = await database.query(
          "select count(pg_terminate_backend(pid))::int as n from pg_stat_activity where application_name = 'touchstone' and state = 'active'",
        );
        return rows[0].n as number;
      })
      .toBeGreaterThan(0);
    expect((await asking).samples).toMatchObject({ values: Float64Array.of(7) });
    expect(retried).toEqual(["source_unavailable"]);
  });

  test("a transaction that the server gave up is asked again, a statement that takes too long ends in time", async () => {
    const gaveUp = source({ retries: 2 });
    const asking = gaveUp.source.fetch(ask('{ sql: "select gives_up() as value" }', HOUR), SIGNAL);
    await expect(asking).rejects.toMatchObject({ code: "source_unavailable" });
    await expect(asking).rejects.toThrow(/gave no answer \(40001\): canceling statement.*\(attempt 3\)$/);
    expect(gaveUp.retried).toEqual(["source_unavailable", "source_unavailable"]);

    const slow = source({ timeout: "700ms", attemptTimeout: "200ms" });
    const started = performance.now();
    const late = slow.source.fetch(ask('{ sql: "select 1 as value from pg_sleep(30)" }', HOUR), SIGNAL);
    await expect(late).rejects.toMatchObject({ code: "source_timeout" });
    expect(performance.now() - started).toBeLessThan(3000);
    expect(slow.retried.length).toBeGreaterThan(0);
  });

  test("refusals are asked once: a missing table, a write, a database that is not there", async () => {
    const { source: db, retried } = source();
    for (const sql of ["select 1 as value from nowhere", "create table t (a int)"])
      await expect(db.fetch(ask(`{ sql: ${JSON.stringify(sql)} }`, HOUR), SIGNAL)).rejects.toMatchObject({
        code: "source_refused",
      });
    const absent = source({}, `${database.url}_absent`);
    await expect(absent.source.fetch(ask('{ sql: "select 1 as value" }', HOUR), SIGNAL)).rejects.toMatchObject({
      code: "source_refused",
    });
    expect([...retried, ...absent.retried]).toEqual([]);
  });

  test("no more at once than allowed, and no query waits for a connection", async () => {
    const { source: db } = source({ concurrency: 2 });
    const watch = new pg.Client(database.url);
    await watch.connect();
    onTestFinished(() => watch.end());
    // A statement that another test gave up may still be dying on the server.
    const [started] = (await watch.query<{ at: string }>("select clock_timestamp()::text as at")).rows;
    const asking = Promise.all(
      Array.from({ length: 8 }, () => db.fetch(ask('{ sql: "select 1 as value from pg_sleep(0.1)" }', HOUR), SIGNAL)),
    );
    let most = 0;
    const count = async (): Promise<false> => {
      const { rows } = await watch.query<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where application_name = 'touchstone' and state = 'active' and datname = current_database() and xact_start >= $1",
        [started?.at],
      );
      most = Math.max(most, rows[0]?.n ?? 0);
      return false;
    };
    const isDone = asking.then(() => true);
    while (!(await Promise.race([count(), isDone])));
    expect((await asking).length).toBe(8);
    expect(most).toBe(2);
  });
});
