import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { readRetryAfter } from "../../src/http.ts";
import { SourceConfig } from "../../src/model/source.ts";
import type { Answer } from "../../src/model/samples.ts";
import { wireSources } from "../../src/wire-sources.ts";
import { freePort } from "../services/servers.ts";
import { listen, sendJson } from "./http-server.ts";
import { ask } from "./requests.ts";

/** A source as an operator configures it, its limits its own. */
function configured(url: string, options: object = {}) {
  const config = SourceConfig.parse({ name: "prom", type: "prometheus", url, timeout: "5s", ...options });
  const source = wireSources({ configs: [config], environment: {} }).get("prom");
  return (signal = new AbortController().signal, query = "{ series: x }"): Promise<Answer> => {
    if (source === undefined) throw new RangeError("no source");
    return source.fetch(ask(query), signal);
  };
}

const ONE_POINT = {
  status: "success",
  data: { resultType: "matrix", result: [{ metric: {}, values: [[1_763_625_600, "7"]] }] },
};

/** A server that goes through these answers, and stays at the last. */
async function answering(...answers: ((response: ServerResponse) => void)[]) {
  const at: number[] = [];
  const { url, asked } = await listen((_, response) => {
    at.push(performance.now());
    answers[Math.min(at.length, answers.length) - 1]?.(response);
  });
  return { url, asked, at };
}

const good = (response: ServerResponse) => sendJson(response, ONE_POINT);
const status =
  (code: number, headers: Record<string, string> = {}, body: unknown = {}) =>
  (response: ServerResponse) =>
    response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const hang = () => undefined;

test.each([
  ["a server error", status(503)],
  ["a gateway that gave up", status(504)],
  ["too many requests", status(429)],
  ["a timeout inside the source", status(503, {}, { status: "error", errorType: "timeout", error: "timed out" })],
  ["a query that the source cancelled", status(499, {}, { status: "error", errorType: "canceled", error: "canceled" })],
  ["an answer in part", status(200, {}, { ...ONE_POINT, warnings: ["a store is away"] })],
  ["a connection that breaks", (response: ServerResponse) => void response.socket?.resetAndDestroy()],
  [
    "an answer that ends too early",
    (response: ServerResponse) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => response.socket?.destroy());
    },
  ],
])("%s is asked again, and the answer that follows counts", async (_, bad) => {
  const { url, asked } = await answering(bad, bad, good);
  expect((await configured(url)()).samples).toMatchObject({ values: Float64Array.of(7) });
  expect(asked.length).toBe(3);
});

test.each([
  ["a query that was refused", status(400, {}, { status: "error", errorType: "bad_data", error: "parse error" })],
  ["a page", (response: ServerResponse) => response.end("<html>")],
  ["a redirect", status(302, { location: "/" })],
  ["a wrong token", status(401)],
  ["an answer that is too large", (response: ServerResponse) => response.end(" ".repeat(2000))],
])("%s is asked once: another attempt would be answered alike", async (_, bad) => {
  const { url, asked } = await answering(bad, good);
  await expect(configured(url, { maxBytes: 1024 })()).rejects.toMatchObject({ name: "TouchstoneError" });
  expect(asked.length).toBe(1);
});

test("attempts are counted, and the error says how many there were", async () => {
  for (const [retries, attempts] of [
    [0, 1],
    [2, 3],
  ] as const) {
    const { url, asked } = await answering(status(500));
    const asking = configured(url, { retries })();
    await expect(asking).rejects.toMatchObject({ code: "source_failed" });
    await expect(asking).rejects.toThrow(attempts === 1 ? /answered 500$/ : /answered 500 \(attempt 3\)$/);
    expect(asked.length).toBe(attempts);
  }
});

test("nobody listening, an unknown host and a host without TLS are unavailable with their cause", async () => {
  const { url } = await answering(good);
  for (const [address, cause] of [
    [`http://127.0.0.1:${await freePort()}`, /ECONNREFUSED/],
    ["http://touchstone.invalid", /ENOTFOUND|EAI_AGAIN/],
    [url.replace("http:", "https:"), /wrong version number|packet length|SSL/],
  ] as const) {
    const asking = configured(address, { retries: 1 })();
    await expect(asking).rejects.toMatchObject({ code: "source_unavailable" });
    await expect(asking).rejects.toThrow(cause);
  }
});

test("an attempt that hangs is given up at attemptTimeout, and the next may answer", async () => {
  const { url, asked } = await answering(hang, good);
  await configured(url, { attemptTimeout: "100ms" })();
  expect(asked.length).toBe(2);
});

test("all attempts and pauses share one time budget", async () => {
  for (const bad of [hang, status(503)]) {
    const { url, asked } = await answering(bad);
    const started = performance.now();
    // After the first attempt at least 400 ms are left, and the longest first pause is 250.
    await expect(configured(url, { timeout: "700ms", attemptTimeout: "150ms", retries: 10 })()).rejects.toMatchObject({
      code: bad === hang ? "source_timeout" : "source_unavailable",
    });
    expect(performance.now() - started).toBeLessThan(1500);
    expect(asked.length).toBeGreaterThan(1);
    if (bad === hang) expect(asked.length).toBeLessThanOrEqual(5);
  }
});

test("a source is not asked again before its Retry-After, in seconds or as a date", async () => {
  for (const header of [() => "1", () => new Date(Date.now() + 2000).toUTCString()]) {
    const { url, at } = await answering((response) => status(429, { "retry-after": header() })(response), good);
    await configured(url)();
    expect(at.length).toBe(2);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(950);
  }
});

test("a Retry-After beyond the time budget is an error that says until when, and all queries of the source keep to it", async () => {
  const { url, asked } = await answering(status(429, { "retry-after": "60" }));
  const again = configured(url);
  const before = Date.now();
  const asking = again();
  await expect(asking).rejects.toMatchObject({ code: "source_throttled" });
  await expect(asking).rejects.toThrow(/^prom answered 429 and asks not to be asked again before \d{4}-/);
  const error = await asking.catch((thrown: unknown) => thrown as { retryAt: number });
  expect((error as { retryAt: number }).retryAt - before).toBeGreaterThan(59_000);
  await expect(again()).rejects.toThrow(/^prom asks not to be asked again before \d{4}-/);
  expect(asked.length).toBe(1);
});

test("queries that meet a source which was told to be left alone wait for it within their time", async () => {
  const { url, at } = await answering(status(429, { "retry-after": "1" }), good);
  const again = configured(url);
  await Promise.all([again(), again(), again()].map((asking) => asking.then(({ samples }) => samples)));
  // The three may have been on their way together; whoever comes after the refusal waits.
  expect((at.at(-1) ?? 0) - (at[0] ?? 0)).toBeGreaterThan(950);
});

test("an aborted signal ends an attempt and a pause at once, with its own reason", async () => {
  for (const bad of [hang, status(429, { "retry-after": "4" })]) {
    const { url } = await answering(bad);
    const controller = new AbortController();
    const started = performance.now();
    const asking = configured(url)(controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(asking).rejects.toThrow("enough");
    expect(performance.now() - started).toBeLessThan(1500);
  }
});

test("each of the two queries of counts is asked again by itself", async () => {
  const failed = new Set<string>();
  const { url, asked } = await listen(({ form }, response) => {
    const query = form.get("query") ?? "";
    if (query === "bad" && !failed.has(query)) {
      failed.add(query);
      status(503)(response);
    } else good(response);
  });
  await configured(url)(undefined, "{ events: bad, exposure: all }");
  const times = (query: string) => asked.filter(({ form }) => form.get("query") === query).length;
  expect([times("bad"), times("all")]).toEqual([2, 1]);
});

test("a server that comes back while it is asked is no outage", async () => {
  const port = await freePort();
  const asking = configured(`http://127.0.0.1:${port}`, { retries: 10 })();
  const server = createServer((_, response) => good(response));
  onTestFinished(() => void server.close());
  setTimeout(() => server.listen(port, "127.0.0.1"), 200);
  expect((await asking).samples).toMatchObject({ values: Float64Array.of(7) });
});

test("Retry-After is read as RFC 9110 writes it, and as nothing else", () => {
  const now = Date.UTC(2026, 10, 20, 8, 0, 0);
  expect(readRetryAfter("120", now)).toBe(now + 120_000);
  expect(readRetryAfter("Fri, 20 Nov 2026 08:00:30 GMT", now)).toBe(now + 30_000);
  for (const odd of [null, "", "-1", "1.5", "soon", "2026-11-20", "1e3"]) expect(readRetryAfter(odd, now)).toBe(null);
});
