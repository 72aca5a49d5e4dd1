import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunView } from "../src/model/run.ts";
import { startStreet, type Street } from "./street.ts";

const AGENT = fileURLToPath(new URL("../fixtures/agent", import.meta.url));
const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };
const request = (candidate: string, more: object = {}) => ({
  analysis: "batch-eval",
  baseline: { label: "v1" },
  candidate: { label: candidate },
  window: WINDOW,
  ...more,
});

describe("the street, embedded", () => {
  let street: Street;
  // One street for all tests of this file: starting an embedded record takes seconds.
  beforeAll(async () => {
    street = await startStreet(
      `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n- { name: fixed, type: file, root: ${JSON.stringify(AGENT)}, file: v1.csv }\n`,
    );
  }, 60_000);
  afterAll(() => street.stop());

  async function verdictOf(body: object): Promise<RunView> {
    const started = await street.ask("POST", "/v1/runs", body);
    expect(started.status, started.text).toBe(202);
    expect(started.headers.get("location")).toBe(`/v1/runs/${started.body.id}`);
    const read = await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`);
    expect(read.status).toBe(200);
    return RunView.parse(read.body);
  }

  test("a worse version is rolled back, an equal and a better one are promoted", async () => {
    const [worse, equal, better] = await Promise.all(["v2", "v3", "v4"].map((label) => verdictOf(request(label))));
    expect(worse).toMatchObject({
      status: "done",
      verdict: "rollback",
      rollbackTarget: { label: "v1" },
      dueAt: null,
      error: null,
    });
    expect(worse?.findings.map(({ metric, finding }) => [metric, finding])).toEqual([
      ["quality", "worse"],
      ["failures", "safe"],
      ["latency", "safe"],
      ["cost", "worse"],
    ]);
    expect(equal).toMatchObject({ verdict: "promote", rollbackTarget: null });
    expect(better).toMatchObject({ verdict: "promote" });
    expect(better?.findings.filter(({ finding }) => finding === "better").map(({ metric }) => metric)).toEqual([
      "quality",
      "cost",
    ]);
  });

  test("a version without samples pauses with the reason, and names the file that is missing", async () => {
    const run = await verdictOf(request("v9"));
    expect(run.verdict).toBe("pause");
    expect(run.reasons.map(({ code }) => code)).toEqual([
      "source_error",
      "source_error",
      "source_error",
      "source_error",
    ]);
    expect(run.reasons[0]?.text).toMatch(/v9\.csv/);
  });

  test("a window without samples pauses for lack of data", async () => {
    const run = await verdictOf(
      request("v3", { window: { start: "2026-11-18T08:00:00Z", end: "2026-11-18T08:30:00Z" } }),
    );
    expect(run.verdict).toBe("pause");
    expect(new Set(run.reasons.map(({ code }) => code))).toEqual(new Set(["no_data"]));
  });

  test("the report is the stored bytes, and the same report as Markdown and as a page without scripts", async () => {
    const { id } = await verdictOf(request("v2"));
    const json = await street.ask("GET", `/v1/runs/${id}/report`);
    expect(json.body).toMatchObject({
      kind: "Report",
      run: id,
      verdict: "rollback",
      evidence: { engine: "touchstone 0.1.0" },
    });
    expect((await street.ask("GET", `/v1/runs/${id}/report`)).text).toBe(json.text);
    const markdown = await street.ask("GET", `/v1/runs/${id}/report`, undefined, { accept: "text/markdown" });
    expect(markdown.text).toMatch(/^# rollback: quality 3\.48 vs 4\.00 /);
    const html = await street.ask("GET", `/v1/runs/${id}/report`, undefined, { accept: "text/html" });
    expect(html.text).toMatch(/^<!doctype html>/);
    expect(html.text).not.toMatch(/<script|javascript:|onerror/i);
    expect(html.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect((await street.ask("GET", `/v1/runs/${id}/report`, undefined, { accept: "image/png" })).status).toBe(406);
  });

  test("metrics tell of verdicts, and their number grows neither with versions nor with paths", async () => {
    const scrape = async () => (await street.ask("GET", "/metrics")).text;
    const countOf = (text: string, series: string) =>
      Number(new RegExp(`^touchstone_${series.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
    await verdictOf(request("v3"));
    await street.ask("GET", "/v1/nothing-here");
    // The first scrape is counted in the second one.
    await scrape();
    const before = await scrape();
    for (const label of ["v4", "nobody-1", "nobody-2"]) await verdictOf(request(label));
    await street.ask("GET", "/v1/nothing-here-either");
    const after = await scrape();
    const grown = (series: string) => countOf(after, series) - countOf(before, series);
    expect(grown('runs_started_total{outcome="created"}')).toBe(3);
    expect(grown('runs_total{status="done",verdict="promote"}')).toBe(1);
    expect(grown('runs_total{status="done",verdict="pause"}')).toBe(2);
    expect(grown('looks_total{decision="pause"}')).toBe(2);
    expect(grown('time_to_verdict_seconds_count{mode="once"}')).toBe(3);
    expect(grown("look_delay_seconds_count")).toBe(3);
    expect(grown("judge_duration_seconds_count")).toBe(3);
    expect(grown('source_query_duration_seconds_count{source="files",outcome="source_unavailable"}')).toBe(8);
    expect(countOf(after, 'store_duration_seconds_count{outcome="ok"}')).toBeGreaterThan(10);
    expect(countOf(after, "doorbell_up")).toBe(1);
    const seriesIn = (text: string) =>
      text.split("\n").filter((line) => /^touchstone_(?!source_query|runs_total|looks_total)/.test(line)).length;
    expect(seriesIn(after)).toBe(seriesIn(before));
    expect(after).not.toMatch(/nobody-1|nothing-here|run_[0-9a-f]/);
  });

  test("the looks of a run are listed", async () => {
    const { id } = await verdictOf(request("v3"));
    const { body } = await street.ask("GET", `/v1/runs/${id}/looks`);
    expect(body).toEqual({
      items: [
        {
          n: 1,
          at: expect.any(String),
          decision: "promote",
          summary: expect.stringMatching(/^promote: /),
          evidence: { digest: expect.stringMatching(/^sha256:/), engine: "touchstone 0.1.0" },
        },
      ],
      nextCursor: null,
    });
  });

  test("a repeated key gives the same run and another body is refused", async () => {
    const headers = { "idempotency-key": "deploy-17" };
    const first = await street.ask("POST", "/v1/runs", request("v3"), headers);
    const again = await street.ask("POST", "/v1/runs", request("v3"), headers);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.body.id).toBe(first.body.id);
    expect(await street.ask("POST", "/v1/runs", request("v4"), headers)).toMatchObject({
      status: 422,
      body: { code: "idempotency_mismatch" },
    });
  });

  test("a repeated post of one rollout gives 200 and the same run", async () => {
    const rollout = { namespace: "prod", name: "agent", revision: "3" };
    const first = await street.ask("POST", "/v1/runs", request("v3", { rollout }));
    const again = await street.ask("POST", "/v1/runs", request("v3", { rollout }));
    expect([first.status, again.status]).toEqual([202, 200]);
    expect(again.body.id).toBe(first.body.id);
    expect(first.body.rollout).toEqual({ ...rollout, attempt: 1 });
  });

  test("a person's verdict stands beside the computed one, and the audit log tells of both", async () => {
    const { body: done } = await street.ask("POST", "/v1/runs", request("v2"));
    const { body: run } = await street.ask("GET", `/v1/runs/${done.id}?wait=60s`);
    expect(run).toMatchObject({ verdict: "rollback", effectiveVerdict: "rollback", override: null });
    const path = `/v1/runs/${run.id}/override`;
    const override = { verdict: "promote", reason: "the drop is in the rater, not in the agent", by: "ann" };
    const stale = await street.ask("POST", path, { ...override, expectedVersion: run.version - 1 });
    expect(stale).toMatchObject({ status: 409, body: { code: "conflict", issues: [{ pointer: "/expectedVersion" }] } });
    const bare = await street.ask("POST", path, { verdict: "promote", reason: "no", expectedVersion: run.version });
    expect(bare).toMatchObject({ status: 422, body: { issues: [{ pointer: "/reason" }] } });
    const key = { "idempotency-key": "override-1" };
    const after = await street.ask("POST", path, { ...override, expectedVersion: run.version }, key);
    expect(after).toMatchObject({
      status: 200,
      body: { verdict: "rollback", effectiveVerdict: "promote", override: { verdict: "promote", by: "ann (local)" } },
    });
    expect((await street.ask("POST", path, { ...override, expectedVersion: run.version }, key)).text).toBe(after.text);
    const report = await street.ask("GET", `/v1/runs/${run.id}/report`);
    expect(report.body.verdict).toBe("rollback");
    const audit = await street.ask("GET", `/v1/audit?subject=${run.id}`);
    expect(audit.body.items.map(({ action, actor }: { action: string; actor: string }) => [action, actor])).toEqual([
      ["run.done", expect.stringMatching(/^worker /)],
      ["run.overridden", "ann (local)"],
    ]);
    const head = (await street.ask("GET", "/v1/audit")).body.head;
    expect(audit.body.items.at(-1)).toMatchObject(head);
  });

  test("a run tells only targets that the operator defined", async () => {
    const answer = await street.ask("POST", "/v1/runs", { ...request("v2"), notify: ["nobody"] });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: "invalid_request", issues: [{ pointer: "/notify/0" }] },
    });
  });

  test("a run whose window is not over waits, can be cancelled, and then stays cancelled", async () => {
    const later = { start: new Date().toISOString(), end: new Date(Date.now() + 3_600_000).toISOString() };
    const { body } = await street.ask("POST", "/v1/runs", request("v3", { window: later }));
    expect(body).toMatchObject({
      status: "queued",
      verdict: null,
      dueAt: new Date(Date.parse(later.end) + 60_000).toISOString(),
    });
    expect(await street.ask("GET", `/v1/runs/${body.id}/report`)).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
    const cancelled = await street.ask("POST", `/v1/runs/${body.id}/cancel`);
    expect(cancelled.body).toMatchObject({ status: "cancelled", verdict: null, error: { code: "cancelled" } });
    expect((await street.ask("POST", `/v1/runs/${body.id}/cancel`)).status).toBe(200);
    expect((await street.ask("GET", `/v1/runs/${body.id}?wait=60s`)).body.status).toBe("cancelled");
    const done = await verdictOf(request("v3"));
    expect(await street.ask("POST", `/v1/runs/${done.id}/cancel`)).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
  });

  test("an inline analysis is judged like a stored one", async () => {
    const inline = {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: "inline" },
      spec: {
        plan: { mode: "once" },
        metrics: [
          {
            name: "quality",
            kind: "score",
            scale: [1, 5],
            margin: 0.25,
            source: "files",
            query: { value: "score", at: "at" },
          },
        ],
      },
    };
    expect(await verdictOf(request("v2", { analysis: inline }))).toMatchObject({
      verdict: "rollback",
      analysis: { name: "inline" },
    });
  });

  test("runs are listed newest first with a link to the next page, and filtered", async () => {
    const page = await street.ask("GET", "/v1/runs?limit=2");
    expect(page.body.items.length).toBe(2);
    expect(page.headers.get("link")).toMatch(/^<\/v1\/runs\?limit=2&cursor=\d+>; rel="next"$/);
    const next = await street.ask("GET", `/v1/runs?limit=2&cursor=${page.body.nextCursor}`);
    expect(next.body.items.map(({ id }: { id: string }) => id)).not.toContain(page.body.items[0].id);
    const rolledBack = await street.ask("GET", "/v1/runs?verdict=rollback&analysis=batch-eval&version=v2");
    expect(rolledBack.body.items.length).toBeGreaterThan(0);
    expect(
      new Set(rolledBack.body.items.map(({ candidate }: { candidate: { label: string } }) => candidate.label)),
    ).toEqual(new Set(["v2"]));
  });

  test("the shipped analyses are loaded; those whose sources are not configured say so", async () => {
    const { body } = await street.ask("GET", "/v1/analyses");
    expect(body.items.map(({ name, origin, runnable }: Record<string, unknown>) => [name, origin, runnable])).toEqual([
      ["batch-eval", "file", true],
      ["http-service", "file", false],
      ["support-agent", "file", false],
    ]);
    expect(body.items[1].issues[0]).toEqual({
      pointer: "/spec/metrics/0/source",
      detail: "no source named prometheus is configured",
    });
    expect(await street.ask("POST", "/v1/runs", request("v3", { analysis: "support-agent" }))).toMatchObject({
      status: 422,
      body: { code: "not_runnable" },
    });
  });

  test("analyses are put as YAML or JSON, read, validated and deleted", async () => {
    const yaml =
      "apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: mine }\nspec:\n  metrics:\n  - { name: q, kind: score, scale: [1, 5], source: files, query: { value: score } }\n";
    const put = await street.ask("PUT", "/v1/analyses/mine", yaml, { "content-type": "application/yaml" });
    expect(put).toMatchObject({
      status: 200,
      body: { name: "mine", origin: "api", runnable: true, inForce: { plan: { durationSeconds: 1800 } } },
    });
    const read = await street.ask("GET", "/v1/analyses/mine");
    expect(read.body.digest).toBe(put.body.digest);
    expect((await street.ask("PUT", "/v1/analyses/mine", read.body.document)).body.digest).toBe(put.body.digest);
    expect((await street.ask("POST", "/v1/analyses/validate", read.body.document)).body).toMatchObject({
      valid: true,
      runnable: true,
    });
    expect(await street.ask("PUT", "/v1/analyses/other", yaml, { "content-type": "application/yaml" })).toMatchObject({
      status: 422,
      body: { issues: [{ pointer: "/metadata/name" }] },
    });
    expect(
      await street.ask("PUT", "/v1/analyses/batch-eval", { ...read.body.document, metadata: { name: "batch-eval" } }),
    ).toMatchObject({ status: 409 });
    expect((await street.ask("DELETE", "/v1/analyses/mine")).status).toBe(204);
    expect((await street.ask("DELETE", "/v1/analyses/mine")).status).toBe(404);
  });

  test("schedules are put as YAML or JSON, read, listed and deleted", async () => {
    const yaml =
      "name: nightly\nanalysis: batch-eval\nbaseline: known-good\ncandidate: newest\ncron: 0 2 * * *\ntimeZone: Europe/Berlin\n";
    const put = await street.ask("PUT", "/v1/schedules/nightly", yaml, { "content-type": "application/yaml" });
    expect(put, put.text).toMatchObject({
      status: 200,
      body: {
        name: "nightly",
        schedule: { cron: "0 2 * * *", missed: "run-once", paused: false },
        lastSlot: null,
        lastSlots: [],
        links: { self: "/v1/schedules/nightly", slots: "/v1/schedules/nightly/slots" },
      },
    });
    expect(put.body.nextSlot).toMatch(/T0[01]:00:00\.000Z$/);
    expect(put.body.nextSlots.length).toBe(5);
    expect(put.body.nextSlots[0]).toBe(put.body.nextSlot);
    const paused = await street.ask("PUT", "/v1/schedules/nightly", { ...put.body.schedule, paused: true });
    expect(paused).toMatchObject({ status: 200, body: { nextSlot: null, nextSlots: [] } });
    await street.ask("PUT", "/v1/schedules/other", {
      name: "other",
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: "v3" },
      every: "6h",
    });
    const page = await street.ask("GET", "/v1/schedules?limit=1");
    expect(page.body.items.map(({ name }: { name: string }) => name)).toEqual(["nightly"]);
    const next = await street.ask("GET", `/v1/schedules?limit=1&cursor=${page.body.nextCursor}`);
    expect(next.body.items.map(({ name }: { name: string }) => name)).toEqual(["other"]);
    expect((await street.ask("GET", "/v1/schedules/other/slots")).body).toEqual({ items: [], nextCursor: null });
    for (const name of ["nightly", "other"])
      expect((await street.ask("DELETE", `/v1/schedules/${name}`)).status).toBe(204);
    expect((await street.ask("GET", "/v1/schedules/other/slots")).status).toBe(404);
    expect((await street.ask("DELETE", "/v1/schedules/other")).status).toBe(404);
  });

  test.each<[string, object, number, string, string]>([
    ["an unknown zone", { timeZone: "Berlin" }, 422, "invalid_request", "/timeZone"],
    ["both cron and every", { every: "1h" }, 422, "invalid_request", "/every"],
    ["another name than its path", { name: "other" }, 422, "invalid_request", "/name"],
    ["an unknown analysis", { analysis: "nope" }, 404, "not_found", "/analysis"],
    ["an analysis that cannot run here", { analysis: "support-agent" }, 422, "not_runnable", "/spec/metrics/0/source"],
    ["an argument that the analysis does not have", { args: { region: "eu" } }, 422, "invalid_request", "/args/region"],
  ])("a schedule with %s is refused", async (_, more, status, code, pointer) => {
    const schedule = {
      name: "bad",
      analysis: "batch-eval",
      baseline: "known-good",
      candidate: "newest",
      cron: "@daily",
    };
    const answer = await street.ask("PUT", "/v1/schedules/bad", { ...schedule, ...more });
    expect(answer.body, answer.text).toMatchObject({ status, code });
    expect(answer.body.issues.map((issue: { pointer: string }) => issue.pointer)).toContain(pointer);
    expect((await street.ask("GET", "/v1/schedules/bad")).status).toBe(404);
  });

  test("health, metrics, contract and the page of runs answer", async () => {
    expect((await street.ask("GET", "/livez")).body).toEqual({ status: "ok" });
    expect((await street.ask("GET", "/readyz")).body).toMatchObject({ status: "ok", degraded: false });
    const metrics = await street.ask("GET", "/metrics");
    expect(metrics.text).toMatch(/touchstone_runs_total\{status="done",verdict="rollback"\} \d+/);
    expect(metrics.text).toMatch(
      /touchstone_http_request_duration_seconds_count\{method="GET",route="\/v1\/runs\/:id",status="200"\} \d+/,
    );
    expect(metrics.text).toMatch(/^touchstone_schedule_lag_seconds 0$/m);
    expect((await street.ask("GET", "/openapi.yaml")).text).toMatch(/^# Written by/);
    const page = await street.ask("GET", "/");
    expect(page.text).toMatch(/<a href="\/v1\/runs\/run_[0-9a-f]{32}\/report">rollback: quality/);
    expect(page.text).not.toMatch(/<script/i);
  });

  describe("bad requests name the field and the fault", () => {
    test.each<[string, object, number, string, string, RegExp]>([
      ["an unknown key", request("v3", { candidat: 1 }), 422, "invalid_request", "/candidat", /is not a key/],
      [
        "a label with quotes and braces",
        request('v2"} or vector(1) or x{a="'),
        422,
        "invalid_request",
        "/candidate/label",
        /must be 1 to 128 of letters/,
      ],
      [
        "an unknown analysis",
        request("v3", { analysis: "nope" }),
        404,
        "not_found",
        "/analysis",
        /names no stored analysis/,
      ],
      [
        "a window that ends before it starts",
        request("v3", { window: { start: WINDOW.end, end: WINDOW.start } }),
        422,
        "invalid_request",
        "/window/end",
        /must end after it starts/,
      ],
      [
        "a window without a zone",
        request("v3", { window: { start: "2026-11-19T08:00:00", end: WINDOW.end } }),
        422,
        "invalid_request",
        "/window/start",
        /ISO 8601 with its zone/,
      ],
      [
        "an argument that the analysis does not have",
        request("v3", { args: { region: "eu" } }),
        422,
        "invalid_request",
        "/args/region",
        /declares none/,
      ],
      [
        "arms that ask the same",
        request("v2", {
          analysis: {
            apiVersion: "touchstone/v1",
            kind: "Analysis",
            metadata: { name: "fixed" },
            spec: { metrics: [{ name: "m", kind: "latency", source: "fixed", query: { value: "seconds" } }] },
          },
        }),
        422,
        "arms_identical",
        "/analysis/spec/metrics/0/query",
        /asks the same question for v1 and v2/,
      ],
      [
        "a version against itself",
        request("v1"),
        422,
        "invalid_request",
        "/candidate/label",
        /is the baseline's label, v1/,
      ],
      [
        "a missing arm",
        { analysis: "batch-eval", baseline: { label: "v1" } },
        422,
        "invalid_request",
        "/candidate",
        /is missing/,
      ],
      [
        "an inline margin without a measurement unit",
        request("v3", {
          analysis: {
            apiVersion: "touchstone/v1",
            kind: "Analysis",
            metadata: { name: "x" },
            spec: {
              metrics: [{ name: "l", kind: "latency", source: "files", query: { value: "latency_s" }, margin: 5 }],
            },
          },
        }),
        422,
        "invalid_analysis",
        "/analysis/spec/metrics/0/margin",
        /lacks its measurement unit/,
      ],
      [
        "an inline source that nobody configured",
        request("v3", {
          analysis: {
            apiVersion: "touchstone/v1",
            kind: "Analysis",
            metadata: { name: "x" },
            spec: { metrics: [{ name: "l", kind: "latency", source: "prom", query: { series: "x" } }] },
          },
        }),
        422,
        "not_runnable",
        "/analysis/spec/metrics/0/source",
        /no source named prom is configured/,
      ],
      [
        "a key that would poison a prototype",
        JSON.parse('{"__proto__":{"polluted":1}}'),
        400,
        "malformed_body",
        "",
        /__proto__/,
      ],
    ])("%s", async (_, body, status, code, pointer, detail) => {
      const answer = await street.ask("POST", "/v1/runs", JSON.stringify(body));
      expect(answer.status, answer.text).toBe(status);
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(answer.body).toMatchObject({ status, code, type: `urn:touchstone:error:${code}` });
      const issue = answer.body.issues.find((one: { pointer: string }) => one.pointer === pointer);
      expect(issue?.detail, answer.text).toMatch(detail);
    });

    test.each<[string, string, Record<string, string>, number, string]>([
      ["malformed JSON", '{"analysis": ', {}, 400, "malformed_body"],
      ["a hundred thousand nested arrays", "[".repeat(100_000) + "]".repeat(100_000), {}, 400, "malformed_body"],
      ["a body that is too large", JSON.stringify({ analysis: "x".repeat(300_000) }), {}, 413, "body_too_large"],
      [
        "another content type",
        "a=1",
        { "content-type": "application/x-www-form-urlencoded" },
        415,
        "unsupported_media_type",
      ],
      ["an unknown encoding", "{}", { "content-encoding": "compress" }, 415, "unsupported_media_type"],
      ["a key that is no key", JSON.stringify(request("v3")), { "idempotency-key": "ä ö" }, 400, "invalid_parameter"],
    ])("%s", async (_, body, headers, status, code) => {
      const encoded = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
      );
      const answer = await street.ask("POST", "/v1/runs", body, encoded);
      expect(answer.body, answer.text).toMatchObject({ status, code });
    });

    test.each<[string, string, number, string]>([
      ["GET", "/v1/runs/run_unknown", 404, "not_found"],
      ["GET", "/v1/runs/..%2f..%2fetc", 404, "not_found"],
      ["GET", "/v1/runs/%zz", 400, "invalid_parameter"],
      ["GET", "/v1/runs?limit=0", 400, "invalid_parameter"],
      ["GET", "/v1/runs?limit=10&limit=20", 400, "invalid_parameter"],
      ["GET", "/v1/runs?colour=red", 400, "invalid_parameter"],
      ["GET", "/v1/runs?cursor=abc", 400, "invalid_parameter"],
      ["GET", "/v1/runs?verdict=maybe", 400, "invalid_parameter"],
      ["GET", "/v1/runs/run_unknown?wait=1h", 400, "invalid_parameter"],
      ["DELETE", "/v1/runs", 405, "method_not_allowed"],
      ["POST", "/v1/schedules", 405, "method_not_allowed"],
      ["GET", "/v1/schedules/none", 404, "not_found"],
      ["GET", "/v1/schedules/none/slots?cursor=x", 404, "not_found"],
      ["PUT", "/v1/runs/run_1", 405, "method_not_allowed"],
      ["GET", "/v1/nothing", 404, "not_found"],
      ["GET", "/nothing", 404, "not_found"],
    ])("%s %s answers %d", async (method, path, status, code) => {
      const answer = await street.ask(method, path);
      expect(answer.body, answer.text).toMatchObject({ status, code });
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      if (status === 405) expect(answer.headers.get("allow")).toBeTruthy();
    });
  });

  test("every answer forbids sniffing, framing and caching, and does not name its server", async () => {
    for (const path of ["/v1/runs", "/", "/livez", "/nothing"]) {
      const { headers } = await street.ask("GET", path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toMatch(/default-src 'none'/);
      expect(headers.get("x-powered-by")).toBeNull();
    }
  });
});
