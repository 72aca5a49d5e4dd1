import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { createFetchText } from "../../src/http.ts";
import { createPostgresSource, type PostgresOptions } from "../../src/sources/postgres.ts";
import { createPrometheusSource } from "../../src/sources/prometheus.ts";
import type { Judged } from "../../src/judge/judge.ts";
import { look } from "../../src/look.ts";
import { toInstant } from "../../src/model/time.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { analysisWith } from "../judge/samples.ts";
import { ask, ONCE } from "../sources/requests.ts";
import type { createDatabase } from "./database.ts";
import { createEvals } from "./evals.ts";
import { remoteWrite, type NativePoint } from "./remote-write.ts";

const postgresUrl = inject("postgresUrl");
const prometheusUrl = inject("prometheusUrl");
const nativePrometheusUrl = inject("nativePrometheusUrl");
const victoriaUrl = inject("victoriaUrl");
const SIGNAL = new AbortController().signal;
const HOUR = { window: { start: "2026-11-19T08:00:00.000Z", end: "2026-11-19T08:30:00.000Z" } };

describe.skipIf(postgresUrl === null)("a Postgres source", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createEvals(postgresUrl ?? "");
  });
  afterAll(() => database.drop());

  const source = (options: Partial<PostgresOptions> = {}) =>
    createPostgresSource({
      name: "evals",
      connectionString: () => Promise.resolve(database.url),
      timeoutMs: 3000,
      poolSize: 4,
      persist: ONCE,
      maxBytes: 10_000_000,
      maxRows: 100_000,
      ...options,
    });
  const fetchSql = (sql: string, options: Partial<PostgresOptions> = {}, request: Parameters<typeof ask>[1] = HOUR) =>
    source(options).fetch(ask(`{ sql: ${JSON.stringify(sql)} }`, request), SIGNAL);

  test("rows of the version and window become samples with unit and time", async () => {
    const sql =
      "select score as value, session_id as unit, started_at as at from eval_scores where agent_version = :version and started_at >= :start and started_at < :end";
    const { samples, faults } = await fetchSql(sql);
    expect(faults).toEqual([]);
    expect(samples).toMatchObject({ shape: "samples", strata: null });
    if (samples.shape !== "samples") throw new Error("not samples");
    expect(samples.values.length).toBe(2000);
    expect(samples.unitNames.slice(0, 2)).toEqual(["v2-1", "v2-2"]);
    expect(samples.at?.[0]).toBe(Date.parse("2026-11-19T08:00:00Z") / 1000);
  });

  test("columns beside the value are kept by row; a name that Postgres folded is known", async () => {
    const { samples } = await fetchSql(
      "select 4 as value, 'j1' as instrument, null::int as gold, 0.5 as covariate, 'https://t/1' as traceUrl union all select 3, 'j1', 2, 0.25, 'https://t/2' order by 1 desc",
      {},
      { ...HOUR, kind: "score" },
    );
    expect(samples).toMatchObject({
      values: Float64Array.of(4, 3),
      instruments: { names: ["j1"] },
      gold: Float64Array.of(Number.NaN, 2),
      covariates: Float64Array.of(0.5, 0.25),
      traceUrls: { names: ["https://t/1", "https://t/2"] },
    });
    await expect(fetchSql("select 1 as events, 2 as exposure, 3 as gold")).rejects.toMatchObject({
      message: expect.stringMatching(/returns gold beside events and exposure/),
    });
  });

  test("events and exposure become counts", async () => {
    const { samples } = await fetchSql(
      "select sum(failed) as events, count(*) as exposure, date_trunc('minute', started_at) as at from agent_sessions where agent_version = :version group by 3 order by 3",
      {},
      { ...HOUR, kind: "errors" },
    );
    expect(samples).toMatchObject({ shape: "counts", at: expect.objectContaining({ length: 30 }) });
  });

  const BUCKETED = (columns: string) =>
    `select ${columns}, count(*) as count, date_bin('1 minute', started_at, :end) as at from agent_sessions where agent_version = :version and started_at >= :start and started_at < :end group by 1, at`;
  const EXPONENTS = `select bucket, 4 as schema, count(*) as count, at from (
    select case when cost_usd > 0 then ceil(16 * ln(cost_usd) / ln(2))::int end as bucket, date_bin('1 minute', started_at, :end) as at
    from agent_sessions where agent_version = :version and started_at >= :start and started_at < :end) s group by bucket, at`;
  // Costs have five decimals: none lies on an edge, where width_bucket counts to the other side.
  const EDGES = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.5].map((edge) => edge + 1e-6);

  test("buckets that the database counted are those of the rows themselves", async () => {
    const edges = BUCKETED(
      `(array[${EDGES.join(", ")}, 'infinity'::float8])[1 + width_bucket(cost_usd, array[${EDGES.join(", ")}]::float8[])] as le`,
    );
    const rows = await fetchSql(
      "select cost_usd as value, started_at as at from agent_sessions where agent_version = :version",
    );
    if (rows.samples.shape !== "samples") throw new Error("not samples");
    const { values, at } = rows.samples;
    const start = Date.parse(HOUR.window.start) / 1000;
    for (const sql of [edges, EXPONENTS]) {
      const { samples, faults } = await fetchSql(sql);
      expect(faults).toEqual([]);
      if (samples.shape !== "histogram") throw new Error("not a histogram");
      const { upperEdges, counts } = samples;
      const wanted = new Float64Array(counts.length);
      for (const [row, value] of values.entries()) {
        const step = samples.at.indexOf(start + 60 * (Math.floor(((at?.[row] ?? 0) - start) / 60) + 1));
        const bucket = upperEdges.findIndex((edge) => value <= edge * (1 + 1e-12));
        wanted[step * upperEdges.length + bucket] = (wanted[step * upperEdges.length + bucket] ?? 0) + 1;
      }
      expect(samples.at.length).toBe(30);
      expect(counts).toEqual(wanted);
    }
  });

  test("looks at such buckets come to what one look over all of them says", async () => {
    const metric = `- { name: cost, kind: cost, unit: step, margin: 10%, tailMargin: 50%, source: s, query: { sql: ${JSON.stringify(EXPONENTS)} } }`;
    const sources = new Map([["s", source()]]);
    const findingOf = async (plan: string, minutes: readonly number[]) => {
      const run = {
        id: "r",
        analysis: analysisWith(metric, plan),
        analysisDigest: "",
        baseline: { label: "v1" },
        candidate: { label: "v2" },
        window: HOUR.window,
        args: {},
        rollout: null,
      };
      let judged: Judged | null = null;
      for (const minute of minutes) {
        const now = toInstant(Date.parse(HOUR.window.start) / 1000 + 60 * minute);
        judged = await look(sources, run, judged?.state ?? null, now, SIGNAL);
      }
      return judged?.report.findings[0];
    };
    const many = await findingOf(
      "plan: { mode: scheduled, duration: 30m, every: 5m, step: 60s, settle: 0s, warmup: 0s, minDuration: 30m, followUp: 90s }",
      [5, 10, 15, 20, 25, 30],
    );
    const one = await findingOf("plan: { mode: once }", [30]);
    expect(many?.arms).toEqual(one?.arms);
    expect(many?.components.map(({ effect }) => effect.estimate)).toEqual(
      one?.components.map(({ effect }) => effect.estimate),
    );
    expect(many?.warnings).toEqual(one?.warnings);
  });

  test.each([
    ["le beside bucket", "select 1 as le, 1 as bucket, 3 as schema, 1 as count, now() as at"],
    ["no time", "select 1 as le, 1 as count"],
    ["no schema", "select 1 as bucket, 1 as count, now() as at"],
    ["a unit", "select 1 as le, 1 as count, now() as at, 'u' as unit"],
  ])("a histogram with %s is refused with the columns that it has", async (_, sql) => {
    await expect(fetchSql(sql)).rejects.toMatchObject({
      code: "source_refused",
      message: expect.stringMatching(/a histogram has the columns le, count, at, or bucket, schema, count, at/),
    });
  });

  test("labels and arguments are bound as they are, whatever they hold", async () => {
    const evil = ["'; drop table eval_scores; --", "\\", "$1", ":version", "\u0000".slice(1), "😀", "' or true --"];
    for (const text of evil) {
      const request = { ...HOUR, version: { label: "v2", labels: { x: text } }, args: { y: text } };
      const { samples } = await fetchSql(
        "select length(:labels.x::text) as value where :labels.x = :args.y",
        {},
        request,
      );
      expect(samples).toMatchObject({ values: Float64Array.of(Array.from(text).length) });
    }
    expect((await database.query("select count(*)::int as n from eval_scores")).rows[0].n).toBe(8012);
  });

  test("NULL, NaN, infinities and numbers beyond a double are faults, never values", async () => {
    const { samples, faults } = await fetchSql(
      "select v as value from (values ('1'::numeric), (null), ('NaN'), ('Infinity'), ('1e400')) t(v)",
    );
    expect(samples).toMatchObject({ values: Float64Array.of(1) });
    expect(faults.map(({ kind, count }) => [kind, count])).toEqual([
      ["infinite", 2],
      ["missing", 1],
      ["nan", 1],
    ]);
  });

  test.each([
    [
      "a statement that writes",
      "insert into eval_scores values ('v', 's', now(), 1)",
      "source_refused",
      /refused the query/,
    ],
    [
      "a writing function inside a select",
      "with w as (delete from eval_scores returning 1) select 1 as value from w",
      "source_refused",
      /refused the query|read-only/,
    ],
    ["two statements", "select 1 as value; drop table eval_scores", "source_refused", /refused the query/],
    ["a program", "copy eval_scores to program 'true'", "source_refused", /refused the query/],
    ["a missing table", "select 1 as value from nowhere", "source_refused", /"nowhere" does not exist/],
    ["a long sleep", "select 1 as value from pg_sleep(30)", "source_timeout", /not answered in full after 0\.5 s/],
    [
      "a column that is not known",
      "select 1 as value, 2 as colour",
      "source_refused",
      /returns a column colour; name its columns value/,
    ],
    ["no value", "select 1 as unit", "source_refused", /but no column value/],
  ])("%s is refused", async (_, sql, code, message) => {
    const asking = fetchSql(sql, { timeoutMs: 500 });
    await expect(asking).rejects.toMatchObject({ code });
    await expect(asking).rejects.toThrow(message);
    expect((await database.query("select count(*)::int as n from eval_scores")).rows[0].n).toBe(8012);
  });

  test("rows and bytes beyond their caps are refused without reading them all", async () => {
    await expect(fetchSql("select 1 as value from eval_scores a, eval_scores b", { maxRows: 20_000 })).rejects.toThrow(
      /more than 20000 rows/,
    );
    await expect(
      fetchSql("select 1 as value, repeat('x', 1000) as unit from eval_scores a, eval_scores b", {
        maxBytes: 1_000_000,
      }),
    ).rejects.toThrow(/more than 1000000 bytes/);
  });

  test("a question that was given up leaves a connection for the next", async () => {
    const one = source();
    const controller = new AbortController();
    const asking = one.fetch(ask('{ sql: "select 1 as value from pg_sleep(20)" }', HOUR), controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(asking).rejects.toThrow("enough");
    expect((await one.fetch(ask('{ sql: "select 2 as value" }', HOUR), SIGNAL)).samples).toMatchObject({
      values: Float64Array.of(2),
    });
  });

  test("a server that is away is unavailable, and a wrong database refused", async () => {
    await expect(
      fetchSql("select 1 as value", { connectionString: () => Promise.resolve("postgres://postgres@127.0.0.1:1/x") }),
    ).rejects.toMatchObject({ code: "source_unavailable" });
    await expect(
      fetchSql("select 1 as value", { connectionString: () => Promise.resolve(`${database.url}_absent`) }),
    ).rejects.toMatchObject({ code: "source_refused" });
  });
});

describe.skipIf(prometheusUrl === null)("a Prometheus source", () => {
  const source = () => openPrometheus(prometheusUrl ?? "");
  const fetchQuery = (query: string, request: Parameters<typeof ask>[1] = HOUR) =>
    source().fetch(ask(query, request), SIGNAL);

  test("bucket counters of two replicas become counts per minute", async () => {
    const { samples, faults } = await fetchQuery(
      "{ histogram: 'agent_turn_seconds_bucket{version=\"{{ version }}\"}' }",
    );
    expect(faults).toEqual([]);
    if (samples.shape !== "histogram") throw new Error("not a histogram");
    expect(samples.at.length).toBe(30);
    expect(Array.from(samples.upperEdges).slice(-2)).toEqual([12, Infinity]);
    // Four scrapes a minute, two replicas, forty turns each.
    const perMinute = Array.from(samples.at, (_, step) =>
      samples.counts.subarray(step * 13, (step + 1) * 13).reduce((sum, count) => sum + count, 0),
    );
    expect(new Set(perMinute)).toEqual(new Set([320]));
  });

  test("series, instant queries and counters are read", async () => {
    expect(
      (await fetchQuery('{ series: \'sum(rate(agent_turn_seconds_bucket{version="{{ version }}", le="+Inf"}[2m]))\' }'))
        .samples,
    ).toMatchObject({ shape: "series", values: expect.objectContaining({ length: 31 }) });
    const instant = (await fetchQuery("{ instant: 'count(agent_turn_seconds_bucket{version=\"{{ version }}\"})' }"))
      .samples;
    expect(instant).toMatchObject({ values: Float64Array.of(26) });
    const { samples } = await fetchQuery(
      '{ events: \'agent_turn_seconds_bucket{version="{{ version }}", le="0.5"}\', exposure: \'agent_turn_seconds_bucket{version="{{ version }}", le="+Inf"}\' }',
      { ...HOUR, kind: "errors" },
    );
    expect(samples).toMatchObject({ shape: "counts", exposure: expect.objectContaining({ length: 30 }) });
  });

  test("an unknown version is no data, a broken query is refused with the server's words", async () => {
    expect(
      (
        await fetchQuery("{ histogram: 'agent_turn_seconds_bucket{version=\"{{ version }}\"}' }", {
          ...HOUR,
          version: { label: "v77" },
        })
      ).samples,
    ).toMatchObject({ at: new Float64Array(0) });
    await expect(fetchQuery("{ series: 'sum(' }")).rejects.toThrow(/400 bad_data: .*parse error/);
  });

  test("no label value breaks out of its matcher", async () => {
    const payloads = [
      'v2"} or vector(1) or x{a="',
      "\\",
      '"',
      "'",
      "`",
      "\n",
      "}",
      "{{ version }}",
      "v2\\",
      ".*",
      "v2|v1",
      "\u2028",
      "\u0001",
    ];
    for (const text of payloads) {
      for (const operator of ["=", "=~"]) {
        for (const quote of ['"', "'"]) {
          const template = `count(agent_turn_seconds_bucket{version${operator}${quote}{{ labels.x }}${quote}}) or vector(0)`;
          const { samples } = await fetchQuery(`{ instant: ${JSON.stringify(template)} }`, {
            ...HOUR,
            version: { label: "v", labels: { x: text } },
          });
          expect(samples, `${operator}${quote} ${JSON.stringify(text)}`).toMatchObject({ values: Float64Array.of(0) });
        }
      }
    }
    const sane = await fetchQuery("{ instant: 'count(agent_turn_seconds_bucket{version=~\"{{ labels.x }}\"})' }", {
      ...HOUR,
      version: { label: "v", labels: { x: "v2" } },
    });
    expect(sane.samples).toMatchObject({ values: Float64Array.of(26) });
  });
});

function openPrometheus(url: string) {
  const fetchText = createFetchText();
  onTestFinished(() => fetchText.close());
  return createPrometheusSource({
    name: "prom",
    baseUrl: url,
    authorization: () => Promise.resolve(null),
    timeoutMs: 5000,
    maxBytes: 10_000_000,
    maxSeries: 500,
    fetchText,
    persist: ONCE,
  });
}

describe.skipIf(nativePrometheusUrl === null)("native histograms in a Prometheus", () => {
  const NATIVE = "{ histogram: 'turn_seconds{version=\"{{ version }}\"}' }";
  const START = Date.parse(HOUR.window.start) / 1000;

  /** Turns of two replicas, a minute apart, drawn as in fixtures/agent/history.ts; the candidate's are longer by a factor. */
  function replicas(version: string, seed: number, factor: number, minutes: number) {
    const random = seeded(seed);
    return ["a", "b"].map((pod) => {
      const counts = new Map<number, number>();
      const points: NativePoint[] = [];
      let sum = 0;
      for (let minute = 0; minute <= minutes; minute++) {
        points.push({ atSeconds: START + 60 * minute, schema: 3, zeros: 0, counts: new Map(counts), sum });
        for (let turn = 0; turn < 100; turn++) {
          const seconds = factor * 1.6 * Math.exp(0.5 * standardNormal(random));
          const exponent = Math.ceil(Math.log2(seconds) * 8);
          counts.set(exponent, (counts.get(exponent) ?? 0) + 1);
          sum += seconds;
        }
      }
      return { labels: { __name__: "turn_seconds", version, pod }, points };
    });
  }

  beforeAll(async () => {
    await remoteWrite(nativePrometheusUrl ?? "", [
      ...replicas("v1", 1, 1, 30),
      ...replicas("v2", 2, 1.3, 30),
      ...replicas("v3", 3, 1, 30),
    ]);
  });

  test("counts per bucket and minute come out as they were written", async () => {
    const { samples, faults } = await openPrometheus(nativePrometheusUrl ?? "").fetch(ask(NATIVE, HOUR), SIGNAL);
    expect(faults).toEqual([]);
    if (samples.shape !== "histogram") throw new Error("not a histogram");
    expect(samples.at.length).toBe(30);
    const buckets = samples.upperEdges.length;
    const perMinute = Array.from(samples.at, (_, step) =>
      samples.counts.subarray(step * buckets, (step + 1) * buckets).reduce((sum, count) => sum + count, 0),
    );
    expect(new Set(perMinute)).toEqual(new Set([200]));
  });

  test("looks of a run list other buckets each, and together come to what one look over all of it says", async () => {
    const metric =
      "- { name: latency, kind: latency, unit: step, margin: 10%, tailMargin: 50%, source: s, query: { histogram: 'turn_seconds{version=\"{{ version }}\"}' } }";
    const sources = new Map([["s", openPrometheus(nativePrometheusUrl ?? "")]]);
    const reportOf = async (plan: string, minutes: readonly number[]) => {
      const run = {
        id: "r",
        analysis: analysisWith(metric, plan),
        analysisDigest: "",
        baseline: { label: "v1" },
        candidate: { label: "v3" },
        window: HOUR.window,
        args: {},
        rollout: null,
      };
      let judged: Judged | null = null;
      for (const minute of minutes)
        judged = await look(sources, run, judged?.state ?? null, toInstant(START + 60 * minute), SIGNAL);
      return judged?.report.findings[0];
    };
    const many = await reportOf(
      "plan: { mode: scheduled, duration: 30m, every: 5m, step: 60s, settle: 0s, warmup: 0s, minDuration: 30m }",
      [5, 10, 15, 20, 25, 30],
    );
    const one = await reportOf("plan: { mode: once }", [30]);
    expect(many?.finding, JSON.stringify(many?.reasons)).toBe("safe");
    expect(many?.warnings).toEqual(one?.warnings);
    expect(many?.arms).toEqual(one?.arms);
    expect(many?.components.map(({ effect }) => effect.estimate)).toEqual(
      one?.components.map(({ effect }) => effect.estimate),
    );
  });

  test("they are judged like any histogram: the slower version rolls back by about its factor, the equal one promotes", async () => {
    const analysis = analysisWith(
      "- { name: latency, kind: latency, unit: step, margin: 10%, tailMargin: 50%, source: s, query: { histogram: 'turn_seconds{version=\"{{ version }}\"}' } }",
    );
    const sources = new Map([["s", openPrometheus(nativePrometheusUrl ?? "")]]);
    const judge = (candidate: string) =>
      look(
        sources,
        {
          id: "r",
          analysis,
          analysisDigest: "",
          baseline: { label: "v1" },
          candidate: { label: candidate },
          window: HOUR.window,
          args: {},
          rollout: null,
        },
        null,
        "2026-11-20T09:00:00.000Z",
        SIGNAL,
      );
    const slower = (await judge("v2")).report;
    expect(slower.verdict, slower.summary).toBe("rollback");
    expect(slower.findings[0]?.components[0]?.effect.estimate).toBeCloseTo(0.3, 1);
    const equal = (await judge("v3")).report;
    expect(equal.verdict, equal.summary).toBe("promote");
  });
});

describe.skipIf(victoriaUrl === null || prometheusUrl === null)("VictoriaMetrics beside Prometheus", () => {
  const QUERIES = [
    "{ histogram: 'agent_turn_seconds_bucket{version=\"{{ version }}\"}' }",
    '{ series: \'max(agent_turn_seconds_bucket{version="{{ version }}", le="+Inf"})\' }',
    "{ instant: 'count(agent_turn_seconds_bucket{version=\"{{ version }}\"})' }",
  ];
  test.each(QUERIES)("%s gives the same samples", async (query) => {
    const [one, other] = await Promise.all(
      [prometheusUrl, victoriaUrl].map((url) => openPrometheus(url ?? "").fetch(ask(query, HOUR), SIGNAL)),
    );
    expect(other?.samples).toEqual(one?.samples);
    expect(other?.faults).toEqual([]);
  });

  test("an error of its own is told apart", async () => {
    await expect(
      openPrometheus(victoriaUrl ?? "").fetch(ask("{ series: 'sum(' }", HOUR), SIGNAL),
    ).rejects.toMatchObject({ code: "source_refused" });
  });
});
