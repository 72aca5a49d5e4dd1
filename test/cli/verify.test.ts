import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startStreet, type Street } from "../street.ts";
import { run } from "./run.ts";

const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const SOURCES = `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`;
const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };

let street: Street;
const ids: string[] = [];
beforeAll(async () => {
  street = await startStreet(SOURCES);
  for (const candidate of ["v2", "v3"]) ids.push(await judged(street, candidate));
}, 60_000);
afterAll(() => street.stop());

async function judged(at: Street, candidate: string): Promise<string> {
  const body = { analysis: "batch-eval", baseline: { label: "v1" }, candidate: { label: candidate }, window: WINDOW };
  const { id } = (await at.ask("POST", "/v1/runs", body)).body;
  expect((await at.ask("GET", `/v1/runs/${id}?wait=30s`)).body.status).toBe("done");
  return id;
}

const verify = (url: string, ...args: string[]) => run(["verify", ...args], { TOUCHSTONE_URL: url });

/** The server, with something changed in what it answers to this path. */
async function tampering(pattern: RegExp, change: (text: string) => string): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const answer = await fetch(`${street.url}${request.url}`, { headers: { accept: "application/json" } });
      const text = await answer.text();
      response.end(pattern.test(request.url ?? "") ? change(text) : text);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a stored run is fetched, judged here again and found to be the same, byte for byte", async () => {
  const verified = await verify(street.url, ids[0] ?? "");
  expect(verified).toMatchObject({ code: 0, err: "" });
  expect(verified.out).toBe(`${ids[0]}  identical     1 of 1 look judged again, byte for byte the same\n`);
  const json = await verify(street.url, ids[0] ?? "", "-o", "json");
  expect(JSON.parse(json.out)).toEqual({
    run: ids[0],
    outcome: "identical",
    looks: 1,
    identical: 1,
    notKept: [],
    otherEngines: [],
    difference: null,
  });
});

test("all decided runs are judged again, the newest first, as many as asked for", async () => {
  const all = await verify(street.url, "--all");
  expect(all.code).toBe(0);
  expect(all.out).toMatch(
    new RegExp(`^${ids[1]} .*\n${ids[0]} .*\n2 identical, 0 differ, 0 cannot be verified, by touchstone `),
  );
  expect((await verify(street.url, "--all", "--limit", "1")).out).toMatch(/\n1 identical, 0 differ/);
});

test("a report, a run or a verdict that was changed differs, where and how is said, and the exit code is 1", async () => {
  const score = await verify(
    await tampering(/\/evidence/, (text) => text.replace(/(\\"score\\":)[\d.]+/, "$199")),
    ids[0] ?? "",
  );
  expect(score.code).toBe(1);
  expect(score.out).toMatch(/differs +look 1 differs at \/score\n {2}stored {4}99\n {2}rejudged {2}[\d.]+\n$/);

  const margin = await verify(
    await tampering(/\/evidence/, (text) => text.replace('"rollback":0.05', '"rollback":0.5')),
    ids[0] ?? "",
  );
  expect(margin.out).toMatch(/look 1 differs at \/budgets\/rollback\n/);

  const verdict = await verify(
    await tampering(/run_[0-9a-f]+$/, (text) => text.replace('"verdict":"rollback"', '"verdict":"promote"')),
    ids[0] ?? "",
  );
  expect(verdict).toMatchObject({ code: 1 });
  expect(verdict.out).toMatch(/look 1 differs at \/verdict\n {2}stored {4}"promote"\n {2}rejudged {2}"rollback"\n$/);

  const report = await verify(
    await tampering(/\/report$/, (text) => text.replace('"score":', '"score": ')),
    ids[0] ?? "",
  );
  expect(report.code).toBe(1);
});

test("without evidence nothing is claimed, and the exit code is 2", async () => {
  const other = await startStreet(SOURCES, { TOUCHSTONE_EVIDENCE_LIMIT: "0MB" });
  onTestFinished(() => other.stop());
  const id = await judged(other, "v2");
  const verified = await verify(other.url, id);
  expect(verified.code).toBe(2);
  expect(verified.out).toMatch(/unverifiable +0 of 1 look judged again.*; no evidence was kept of look 1\n$/);
  expect((await verify(other.url, "--all")).code).toBe(2);
}, 30_000);

test("what cannot be asked is refused with what to do", async () => {
  expect(await verify(street.url)).toMatchObject({
    code: 64,
    err: expect.stringContaining("give a run, --all, or audit"),
  });
  expect(await verify(street.url, "run_1", "--all")).toMatchObject({ code: 64 });
  expect(await verify(street.url, "run_1")).toMatchObject({
    code: 64,
    err: expect.stringContaining("there is no run run_1"),
  });
  expect(await verify("http://127.0.0.1:1", "run_1")).toMatchObject({ code: 69 });
});

test("the evidence of a run is read page by page, with the snapshot that it was judged under", async () => {
  const page = await street.ask("GET", `/v1/runs/${ids[0]}/evidence?limit=1`);
  expect(page.body).toMatchObject({
    run: { id: ids[0], analysis: { name: "batch-eval" }, baseline: { label: "v1" } },
    items: [{ n: 1, engine: expect.stringMatching(/^touchstone /), state: null, body: expect.any(String) }],
    nextCursor: null,
  });
  const report = await street.ask("GET", `/v1/runs/${ids[0]}/report`, undefined, { accept: "application/json" });
  expect(page.body.items[0].report).toBe(report.text);
  expect((await street.ask("GET", `/v1/runs/${ids[0]}/evidence?cursor=1`)).body.items).toEqual([]);
  expect((await street.ask("GET", "/v1/runs/run_unknown/evidence")).status).toBe(404);
  expect((await street.ask("POST", `/v1/runs/${ids[0]}/evidence`, {})).status).toBe(405);
});
