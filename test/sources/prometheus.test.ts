import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { createFetchText } from "../../src/http.ts";
import type { Answer } from "../../src/model/samples.ts";
import { createPrometheusSource, type PrometheusOptions } from "../../src/sources/prometheus.ts";
import { listen, sendJson } from "./http-server.ts";
import { ask, ONCE } from "./requests.ts";

const START = Date.parse("2026-11-20T08:00:00Z") / 1000;
const SIGNAL = new AbortController().signal;

function source(url: string, options: Partial<PrometheusOptions> = {}) {
  const fetchText = createFetchText();
  onTestFinished(() => fetchText.close());
  return createPrometheusSource({
    name: "prom",
    baseUrl: `${url}/`,
    authorization: () => Promise.resolve(null),
    timeoutMs: 2000,
    maxBytes: 100_000,
    maxSeries: 10,
    fetchText,
    persist: ONCE,
    ...options,
  });
}

/** A matrix of counters: labels and a value per minute from the start, null for a gap. */
function matrix(...series: [Record<string, string>, (number | string | null)[]][]) {
  return {
    status: "success",
    data: {
      resultType: "matrix",
      result: series.map(([metric, values]) => ({
        metric,
        values: values.flatMap((value, step) => (value === null ? [] : [[START + 60 * step, String(value)]])),
      })),
    },
  };
}

async function fetchWith(body: unknown, query: string, options: Partial<PrometheusOptions> = {}): Promise<Answer> {
  const { url } = await listen((_, response) => sendJson(response, body));
  return source(url, options).fetch(ask(query), SIGNAL);
}

const COUNTS = "{ events: 'bad{v=\"{{ version }}\"}', exposure: 'all{v=\"{{ version }}\"}' }";
const HISTOGRAM = "{ histogram: 'h_bucket{v=\"{{ version }}\"}' }";

test("a range query carries the rendered expression, the window, the step and the credentials", async () => {
  const { url, asked } = await listen((_, response) => sendJson(response, matrix([{}, [1, 2, 3]])));
  const answer = await source(url, { authorization: () => Promise.resolve("Bearer secret") }).fetch(
    ask("{ series: 'x{v=\"{{ version }}\"}' }"),
    SIGNAL,
  );
  expect(
    asked.map(({ path, form, headers }) => ({
      path,
      form: Object.fromEntries(form),
      authorization: headers.authorization,
    })),
  ).toEqual([
    {
      path: "/api/v1/query_range",
      form: { query: 'x{v="v2"}', start: String(START), end: String(START + 300), step: "60", timeout: "2s" },
      authorization: "Bearer secret",
    },
  ]);
  expect(answer).toEqual({
    samples: {
      shape: "series",
      stepSeconds: 60,
      at: Float64Array.of(START, START + 60, START + 120),
      values: Float64Array.of(1, 2, 3),
    },
    faults: [],
    warnings: [],
  });
});

test("an instant query asks for the end of the window and reads vectors and scalars", async () => {
  const vector = { status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [START, "0.5"] }] } };
  const { url, asked } = await listen((_, response) => sendJson(response, vector));
  expect((await source(url).fetch(ask("{ instant: up }"), SIGNAL)).samples).toMatchObject({
    shape: "series",
    values: Float64Array.of(0.5),
  });
  expect(asked[0]?.path).toBe("/api/v1/query");
  expect(asked[0]?.form.get("time")).toBe(String(START + 300));
  expect(
    (await fetchWith({ status: "success", data: { resultType: "scalar", result: [START, "2"] } }, "{ instant: '2' }"))
      .samples,
  ).toMatchObject({ values: Float64Array.of(2) });
});

test("an empty vector is no samples, not zero", async () => {
  expect((await fetchWith(matrix(), "{ series: x }")).samples).toMatchObject({ values: new Float64Array(0) });
});

test.each([
  ["NaN", "nan"],
  ["+Inf", "infinite"],
  ["-Inf", "infinite"],
  ["12abc", "not_a_number"],
  ["", "missing"],
])("a point %j is a fault of kind %s and no value", async (value, kind) => {
  const { samples, faults } = await fetchWith(matrix([{}, [1, value, 3]]), "{ series: x }");
  expect(samples).toMatchObject({ values: Float64Array.of(1, 3) });
  expect(faults).toEqual([{ kind, count: 1, example: JSON.stringify(value) }]);
});

test("more than one series for one arm is refused with advice", async () => {
  await expect(fetchWith(matrix([{ pod: "a" }, [1]], [{ pod: "b" }, [1]]), "{ series: x }")).rejects.toThrow(
    /returned 2 series for v2, where one was due; aggregate them/,
  );
});

async function fetchCounts(events: ReturnType<typeof matrix>, exposure: ReturnType<typeof matrix>): Promise<Answer> {
  const { url } = await listen(({ form }, response) =>
    sendJson(response, form.get("query")?.startsWith("bad") === true ? events : exposure),
  );
  return source(url).fetch(ask(COUNTS, { kind: "errors" }), SIGNAL);
}

test("counters are differenced per step and summed over replicas", async () => {
  const { samples } = await fetchCounts(
    matrix([{ pod: "a" }, [0, 1, 1, 4]]),
    matrix([{ pod: "a" }, [10, 20, 30, 40]], [{ pod: "b" }, [100, 105, 110, 115]]),
  );
  expect(samples).toEqual({
    shape: "counts",
    stepSeconds: 60,
    at: Float64Array.of(START + 60, START + 120, START + 180),
    events: Float64Array.of(1, 0, 3),
    exposure: Float64Array.of(15, 15, 15),
  });
});

test("traffic without an error counter is no errors, an error counter without traffic is no data", async () => {
  expect((await fetchCounts(matrix(), matrix([{}, [0, 10, 20]]))).samples).toMatchObject({
    events: Float64Array.of(0, 0),
    exposure: Float64Array.of(10, 10),
  });
  expect((await fetchCounts(matrix([{}, [0, 1, 2]]), matrix())).samples).toMatchObject({ events: new Float64Array(0) });
});

test("the step in which one replica was reset is left out, and told", async () => {
  const { samples, faults } = await fetchCounts(
    matrix(),
    matrix([{ pod: "a" }, [10, 20, 3, 13]], [{ pod: "b" }, [5, 10, 15, 20]]),
  );
  expect(samples).toMatchObject({ at: Float64Array.of(START + 60, START + 180), exposure: Float64Array.of(15, 15) });
  expect(faults).toEqual([{ kind: "counter_reset", count: 1, example: '"2026-11-20T08:02:00.000Z"' }]);
});

test("a replica that appears later adds only what it counted since", async () => {
  expect(
    (await fetchCounts(matrix(), matrix([{ pod: "a" }, [10, 20, 30]], [{ pod: "b" }, [null, 500, 507]]))).samples,
  ).toMatchObject({ exposure: Float64Array.of(10, 17) });
});

test("more errors than requests in a step are a fault", async () => {
  const { samples, faults } = await fetchCounts(matrix([{}, [0, 20, 21]]), matrix([{}, [0, 10, 20]]));
  expect(samples).toMatchObject({ events: Float64Array.of(1) });
  expect(faults[0]).toMatchObject({ kind: "events_above_exposure", count: 1 });
});

test("buckets become counts per bucket and step", async () => {
  const body = matrix([{ le: "+Inf" }, [10, 20, 30]], [{ le: "0.5" }, [4, 9, 16]], [{ le: "1" }, [8, 16, 26]]);
  expect((await fetchWith(body, HISTOGRAM)).samples).toEqual({
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.of(START + 60, START + 120),
    upperEdges: Float64Array.of(0.5, 1, Infinity),
    counts: Float64Array.of(5, 3, 2, 7, 3, 0),
  });
});

test("buckets of several replicas add up, and different layouts are refused", async () => {
  const one = (pod: string): [Record<string, string>, number[]][] => [
    [{ pod, le: "1" }, [0, 1]],
    [{ pod, le: "+Inf" }, [0, 3]],
  ];
  expect((await fetchWith(matrix(...one("a"), ...one("b")), HISTOGRAM)).samples).toMatchObject({
    counts: Float64Array.of(2, 4),
  });
  await expect(
    fetchWith(matrix(...one("a"), [{ pod: "b", le: "2" }, [0, 1]], [{ pod: "b", le: "+Inf" }, [0, 1]]), HISTOGRAM),
  ).rejects.toMatchObject({ code: "source_malformed" });
});

test.each([
  [matrix([{ le: "1" }, [1, 2]]), /without le="\+Inf"/],
  [matrix([{}, [1, 2]]), /without an le label/],
  [matrix([{ le: "one" }, [1, 2]], [{ le: "+Inf" }, [1, 2]]), /le="one"/],
])("buckets that are none are refused", async (body, message) => {
  await expect(fetchWith(body, HISTOGRAM)).rejects.toThrow(message);
});

test.each<[string, unknown, number, string, RegExp]>([
  [
    "an error with 200",
    { status: "error", errorType: "bad_data", error: "parse error" },
    200,
    "source_refused",
    /bad_data: parse error/,
  ],
  [
    "a bad query",
    { status: "error", errorType: "bad_data", error: "exceeded maximum resolution" },
    400,
    "source_refused",
    /maximum resolution/,
  ],
  [
    "a timeout of its own",
    { status: "error", errorType: "timeout", error: "query timed out" },
    503,
    "source_timeout",
    /timed out/,
  ],
  [
    "too many samples",
    { status: "error", errorType: "execution", error: "too many samples" },
    422,
    "source_refused",
    /too many samples/,
  ],
  ["warnings", { ...matrix([{}, [1]]), warnings: ["store unreachable"] }, 200, "source_partial", /store unreachable/],
  ["no data", { status: "success" }, 200, "source_malformed", /without data/],
  [
    "another shape",
    { status: "success", data: { resultType: "vector", result: [] } },
    200,
    "source_malformed",
    /matrix was due/,
  ],
  ["other JSON", { hello: 1 }, 200, "source_malformed", /no answer of a Prometheus/],
  ["a gateway with nobody behind it", { message: "bad gateway" }, 502, "source_unavailable", /502/],
  [
    "a server that is not ready",
    { status: "error", errorType: "unavailable", error: "TSDB not ready" },
    503,
    "source_unavailable",
    /not ready/,
  ],
  [
    "a query that broke the server",
    { status: "error", errorType: "internal", error: "bad chunk" },
    500,
    "source_failed",
    /bad chunk/,
  ],
  [
    "a query that the server gave up",
    { status: "error", errorType: "canceled", error: "query was canceled" },
    503,
    "source_failed",
    /canceled/,
  ],
  ["a fault of the server at this query", { message: "oops" }, 500, "source_failed", /answered 500/],
  ["too many requests", { message: "slow down" }, 429, "source_throttled", /429/],
  [
    "points that are none",
    { status: "success", data: { resultType: "matrix", result: [{ metric: {}, values: [[1]] }] } },
    200,
    "source_malformed",
    /\[time, value\]/,
  ],
])("%s is told apart", async (_, body, status, code, message) => {
  const { url } = await listen((__, response) => sendJson(response, body, status));
  const asking = source(url).fetch(ask("{ series: x }"), SIGNAL);
  await expect(asking).rejects.toMatchObject({ code });
  await expect(asking).rejects.toThrow(message);
});

test("a page that is not JSON, a refused connection, a redirect and a wrong token are told apart", async () => {
  const html = await listen((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
  await expect(source(html.url).fetch(ask("{ series: x }"), SIGNAL)).rejects.toMatchObject({
    code: "source_malformed",
  });
  await expect(source("http://127.0.0.1:1").fetch(ask("{ series: x }"), SIGNAL)).rejects.toMatchObject({
    code: "source_unavailable",
  });
  const redirect = await listen((_, response) => response.writeHead(302, { location: html.url }).end());
  await expect(source(redirect.url).fetch(ask("{ series: x }"), SIGNAL)).rejects.toThrow(
    /302, a redirect, which is not followed/,
  );
  expect(html.asked.length).toBe(1);
  const locked = await listen((_, response) => response.writeHead(401).end("no"));
  await expect(source(locked.url).fetch(ask("{ series: x }"), SIGNAL)).rejects.toThrow(/credentials are not accepted/);
});

test("an answer that trickles is cut at the time budget, and one that does not end at the byte cap", async () => {
  const slow = await listen((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const drip = setInterval(() => response.write(" "), 20);
    response.once("close", () => clearInterval(drip));
  });
  await expect(source(slow.url, { timeoutMs: 300 }).fetch(ask("{ series: x }"), SIGNAL)).rejects.toMatchObject({
    code: "source_timeout",
  });
  // 50 MB of zeros are 50 kB compressed: the cap counts what comes out.
  const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
  const huge = await listen((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
  await expect(source(huge.url).fetch(ask("{ series: x }"), SIGNAL)).rejects.toThrow(/more than 100000 bytes/);
});

test("too many series and too many points are refused by their number", async () => {
  const many = matrix(
    ...Array.from({ length: 11 }, (_, i): [Record<string, string>, number[]] => [{ pod: String(i) }, [1]]),
  );
  await expect(fetchWith(many, COUNTS)).rejects.toThrow(/returned 11 series, more than the 10 allowed/);
  const { url, asked } = await listen((_, response) => sendJson(response, matrix()));
  const long = ask("{ series: x }", {
    stepSeconds: 1,
    window: { start: "2026-11-20T00:00:00Z", end: "2026-11-20T08:00:00Z" },
  });
  await expect(source(url).fetch(long, SIGNAL)).rejects.toThrow(/asks for 28801 points, more than the 11000/);
  expect(asked).toEqual([]);
});

test("an aborted signal ends the question with its own reason", async () => {
  const { url } = await listen(() => undefined);
  const controller = new AbortController();
  const asking = source(url).fetch(ask("{ series: x }"), controller.signal);
  controller.abort(new Error("enough"));
  await expect(asking).rejects.toThrow("enough");
});

test("an address where clouds keep their credentials is never asked", async () => {
  for (const host of ["169.254.169.254", "[fe80::1]", "0.0.0.0", "2852039166"]) {
    await expect(source(`http://${host}`).fetch(ask("{ series: x }"), SIGNAL)).rejects.toThrow(/never connects to/);
  }
});

test("two versions render differently, and a query that ignores the version renders the same", () => {
  const prom = source("http://127.0.0.1:1");
  const other = { version: { label: "v1" } };
  expect(prom.render(ask(HISTOGRAM))).not.toBe(prom.render(ask(HISTOGRAM, other)));
  expect(prom.render(ask("{ series: up }"))).toBe(prom.render(ask("{ series: up }", other)));
  expect(prom.check(ask("{ sql: select 1 }").metric.query)[0]).toMatch(/prom is a Prometheus source/);
});
