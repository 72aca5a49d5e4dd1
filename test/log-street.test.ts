import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createLogger } from "../src/log.ts";
import { startStreet, type Street } from "./street.ts";

const AGENT = fileURLToPath(new URL("../fixtures/agent", import.meta.url));
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const REQUEST = {
  analysis: "batch-eval",
  baseline: { label: "v1" },
  candidate: { label: "v3" },
  window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
};

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly run?: string;
  readonly rollout?: string;
  readonly trace_id?: string;
  readonly req?: { readonly id: string; readonly url: string };
}

let street: Street;
let text = "";
beforeAll(async () => {
  const log = createLogger("debug", { write: (line) => void (text += line) });
  const token = { TOUCHSTONE_TOKEN: "a-token-that-nobody-may-see" };
  street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`, token, log);
}, 60_000);
afterAll(() => street.stop());
beforeEach(() => {
  text = "";
});

const lines = (): Line[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
const AS_CALLER = { authorization: "Bearer a-token-that-nobody-may-see" };

test("every line about a run carries its id, its rollout and its caller's trace, and requests their own id", async () => {
  const rollout = { namespace: "shop", name: "checkout", revision: "7" };
  const started = await street.ask(
    "POST",
    "/v1/runs",
    { ...REQUEST, rollout },
    { ...AS_CALLER, traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` },
  );
  const { id } = started.body;
  await street.ask("GET", `/v1/runs/${id}?wait=30s`, undefined, AS_CALLER);
  await expect.poll(() => lines().filter(({ msg }) => msg === "request completed").length).toBe(2);
  const about = { run: id, rollout: "shop/checkout@7", trace_id: TRACE_ID };
  for (const line of lines()) expect(line, JSON.stringify(line)).toMatchObject(about);
  expect(lines().map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(["run started", "verdict", "request completed"]),
  );
  const requests = lines().flatMap(({ req }) => (req === undefined ? [] : [req.id]));
  expect(new Set(requests).size).toBe(2);
  for (const request of requests) expect(request).toMatch(/^[0-9a-f]{16}$/);
  expect(text).not.toContain("a-token-that-nobody-may-see");
});

test("a header that is no traceparent fails nothing and is not told", async () => {
  const traceparent = "00-evil-\u009b2J-01";
  const started = await street.ask("POST", "/v1/runs", REQUEST, { ...AS_CALLER, traceparent });
  expect(started.status).toBe(202);
  await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`, undefined, AS_CALLER);
  for (const line of lines()) expect(line).not.toHaveProperty("trace_id");
  expect(text).not.toContain("evil");
});

test("a token in the path of a hook is not told, whether it opens or not", async () => {
  const opens = await street.ask("POST", "/t/a-token-that-nobody-may-see/v1/argo/verdict", {});
  const elsewhere = await street.ask("GET", "/t/a-token-that-nobody-may-see/v1/runs");
  const wrong = await street.ask("POST", "/t/a-token-that-nobody-may-see2/v1/argo/verdict", {});
  const alone = await street.ask("GET", "/t/a-token-that-nobody-may-see?a=b");
  expect([opens, elsewhere, wrong, alone].map(({ status }) => status)).toEqual([200, 401, 401, 401]);
  await expect.poll(() => lines().length).toBe(4);
  expect(lines().map(({ req }) => req?.url)).toEqual(["/v1/argo/verdict", "/v1/runs", "/v1/argo/verdict", "/?a=b"]);
  expect(text + opens.text + elsewhere.text + wrong.text).not.toContain("nobody-may-see");
});

test("a long path with escapes in it is one line, cut", async () => {
  await street.ask("GET", `/v1/%1b%5b31m${"x".repeat(8_000)}`, undefined, AS_CALLER);
  await expect.poll(() => lines().length).toBe(1);
  expect(lines()[0]?.req?.url.length).toBe(500);
  expect(text.length).toBeLessThan(1_500);
});
