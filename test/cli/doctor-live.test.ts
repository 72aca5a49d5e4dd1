import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { listen, sendJson, type Asked } from "../sources/http-server.ts";
import { TRAPS } from "../../src/cli/doctor-manifest.ts";
import { codesOf, DEPLOY, diagnose } from "./doctor.ts";

const STEP = fileURLToPath(new URL("argo/analysis-template-step.yaml", DEPLOY));
const KAYENTA = fileURLToPath(new URL("argo/analysis-template-kayenta.yaml", DEPLOY));
const HOOKS = fileURLToPath(new URL("flagger/canary.yaml", DEPLOY));
const METRIC = fileURLToPath(new URL("flagger/canary-metric.yaml", DEPLOY));

type Answer = (asked: Asked, response: ServerResponse) => void;

const PLAN = { runnable: true, issues: [], inForce: { plan: { durationSeconds: 1800, settleSeconds: 60 } } };
const vector = (value: unknown) => ({
  status: "success",
  data: { resultType: "vector", result: [{ metric: {}, value: [1, value] }] },
});

/** A server that answers as Touchstone does to what it does not know, but for the one path. */
async function server(path: string, instead: Answer): Promise<{ url: string; asked: Asked[] }> {
  return listen((asked, response) => {
    if (asked.path.startsWith(path)) return instead(asked, response);
    if (asked.path.startsWith("/v1/analyses/")) return sendJson(response, PLAN);
    if (asked.path === "/v1/argo/verdict")
      return sendJson(response, { summary: "error: there is no analysis touchstone-doctor" });
    if (asked.path.startsWith("/kayenta/canaryConfig"))
      return sendJson(response, [{ id: "support-agent", name: "support-agent" }]);
    if (asked.path.startsWith("/flagger/")) return sendJson(response, vector("1"));
    sendJson(response, { detail: "no" }, 409);
  });
}
const nothingElse = () => server("/none", () => undefined);

test("a server that answers as it must has no trap, and is asked as the controllers ask", async () => {
  const { url, asked } = await nothingElse();
  const env = { TOUCHSTONE_TOKEN: "a-token-that-is-long-enough" };
  expect(await diagnose("argo", [STEP, KAYENTA], ["--live", url], env)).toMatchObject({ code: 0 });
  expect(await diagnose("flagger", [HOOKS, METRIC], ["--live", `${url}/`], env)).toMatchObject({ code: 0 });
  expect(asked.map(({ path }) => path.replace(/\?.*/, ""))).toEqual([
    "/v1/analyses/support-agent",
    "/v1/argo/verdict",
    "/kayenta/canaryConfig",
    "/v1/analyses/support-agent",
    "/v1/flagger/rollback",
    "/v1/flagger/advance",
    "/v1/flagger/promote",
    "/flagger/api/v1/query",
  ]);
  expect(asked[1]?.headers.authorization).toBe("Bearer a-token-that-is-long-enough");
  expect(asked[2]?.headers.authorization).toBe(
    `Basic ${Buffer.from("argo:a-token-that-is-long-enough").toString("base64")}`,
  );
});

const ARGO: readonly [trap: string, path: string, answer: Answer][] = [
  ["unauthorized", "/v1/argo", (_, response) => sendJson(response, {}, 401)],
  ["empty", "/v1/argo", (_, response) => void response.writeHead(204).end()],
  ["empty", "/v1/argo", (_, response) => void response.writeHead(200).end()],
  [
    "not-json",
    "/v1/argo",
    (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>Sign in</html>"),
  ],
  ["not-an-object", "/v1/argo", (_, response) => sendJson(response, null)],
  ["not-an-object", "/v1/argo", (_, response) => sendJson(response, ["promote"])],
  ["redirect", "/v1/argo", (_, response) => void response.writeHead(302, { location: "/login" }).end()],
  ["no-route", "/v1/argo", (_, response) => sendJson(response, {}, 404)],
  ["server-error", "/v1/argo", (_, response) => sendJson(response, {}, 502)],
  ["refused", "/v1/argo", (_, response) => sendJson(response, {}, 422)],
  ["no-summary", "/v1/argo", (_, response) => sendJson(response, { verdict: "promote" })],
  ["answers-unknown", "/v1/argo", (_, response) => sendJson(response, { summary: "promote: all is well" })],
  ["unknown-analysis", "/v1/analyses", (_, response) => sendJson(response, {}, 404)],
  [
    "not-runnable",
    "/v1/analyses",
    (_, response) => sendJson(response, { ...PLAN, runnable: false, issues: [{ detail: "no source named evals" }] }),
  ],
  [
    "error-limit",
    "/v1/analyses",
    (_, response) => sendJson(response, { ...PLAN, inForce: { plan: { durationSeconds: 7200, settleSeconds: 0 } } }),
  ],
  ["unknown-analysis", "/kayenta", (_, response) => sendJson(response, [])],
  ["not-a-list", "/kayenta", (_, response) => sendJson(response, {})],
  ["kayenta-status", "/kayenta", (_, response) => sendJson(response, [], 202)],
  ["server-error", "/kayenta", (_, response) => sendJson(response, [], 503)],
];
test.each(ARGO)("%s of %s is named", async (trap, path, answer) => {
  const { url } = await server(path, answer);
  const diagnosed = await diagnose("argo", [STEP, KAYENTA], ["--live", url]);
  expect(diagnosed.code).toBe(1);
  expect(new Set(codesOf(diagnosed.out)), diagnosed.out).toEqual(new Set([trap]));
});

const FLAGGER: readonly [trap: string, path: string, answer: Answer][] = [
  ["yes-to-unknown", "/v1/flagger/rollback", (_, response) => sendJson(response, {})],
  ["yes-to-unknown", "/v1/flagger/advance", (_, response) => sendJson(response, {}, 202)],
  ["yes-to-unknown", "/v1/flagger/promote", (_, response) => sendJson(response, {})],
  ["redirect", "/v1/flagger/promote", (_, response) => void response.writeHead(307, { location: "/login" }).end()],
  ["unauthorized", "/v1/flagger/rollback", (_, response) => sendJson(response, {}, 401)],
  ["server-error", "/v1/flagger/advance", (_, response) => sendJson(response, {}, 429)],
  ["not-online", "/flagger/", (_, response) => sendJson(response, vector("0"))],
  ["not-online", "/flagger/", (_, response) => sendJson(response, vector(1))],
  ["empty", "/flagger/", (_, response) => void response.writeHead(204).end()],
];
test.each(FLAGGER)("%s of %s is named", async (trap, path, answer) => {
  const { url } = await server(path, answer);
  const diagnosed = await diagnose("flagger", [HOOKS, METRIC], ["--live", url]);
  expect(diagnosed.code).toBe(1);
  expect(new Set(codesOf(diagnosed.out)), diagnosed.out).toEqual(new Set([trap]));
});

test("a server that is away is no trap, and an address that is none is refused", async () => {
  expect(await diagnose("argo", [STEP], ["--live", "http://127.0.0.1:1"])).toMatchObject({ code: 69 });
  expect(await diagnose("argo", [STEP], ["--live", "touchstone"])).toMatchObject({ code: 64 });
});

test("docs/controllers/doctor.md lists every trap, and none besides", async () => {
  const docs = await readFile(new URL("../../docs/controllers/doctor.md", import.meta.url), "utf8");
  const listed = [...docs.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code = ""]) => code);
  expect(listed).toEqual([...TRAPS]);
});
