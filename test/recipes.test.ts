import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { seeded } from "../src/stats/random.ts";
import { startStreet, type Street } from "./street.ts";

/** The recipes of docs/controllers, as their callers run them, against a running server. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAIN = `"${process.execPath}" --import tsx "${join(ROOT, "src/main.ts")}"`;
const TOKEN = "a-token-of-no-use-at-all";

let street: Street;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "touchstone-recipes-"));
  const now = Date.now() / 1000;
  // An hour of sessions that has just passed: v2 fails four times as often as v1, v4 half as often; v9 has too few.
  for (const [label, rate, rows, seed] of [
    ["v1", 0.1, 4000, 1],
    ["v2", 0.4, 4000, 2],
    ["v4", 0.05, 4000, 4],
    ["v9", 0.1, 5, 9],
  ] as const) {
    const random = seeded(seed);
    const lines = Array.from({ length: rows }, (_, row) => {
      const at = new Date((now - 3000 + (row * 3000) / rows) * 1000).toISOString();
      return `${label}-${row},${at},${random() < rate ? 1 : 0}`;
    });
    await writeFile(join(folder, `${label}.csv`), `session,at,failed\n${lines.join("\n")}\n`);
  }
  street = await startStreet(`sources:\n- { name: live, type: file, root: ${JSON.stringify(folder)} }\n`, {
    TOUCHSTONE_TOKEN: TOKEN,
  });
  const query = { value: "failed", unit: "session", at: "at" };
  const document = {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: "recipe" },
    spec: {
      unit: "session",
      plan: { mode: "once", duration: "1h", settle: "0s" },
      metrics: [{ name: "failures", kind: "errors", source: "live", margin: "10pp", query }],
    },
  };
  const stored = await street.ask("PUT", "/v1/analyses/recipe", document, { authorization: `Bearer ${TOKEN}` });
  if (stored.status !== 200) throw new Error(stored.text);
});
afterAll(async () => {
  await street.stop();
  await rm(folder, { recursive: true });
});

/** What Amazon ECS documents of a hook's answer: a hook that answers otherwise rolls back. */
const HookAnswer = z.strictObject({
  hookStatus: z.enum(["SUCCEEDED", "FAILED", "IN_PROGRESS"]),
  callBackDelay: z.int().positive().optional(),
  hookDetails: z.record(z.string(), z.unknown()).optional(),
});

/** The payload of an invocation, as ECS documents it. */
const invocation = (candidate: string) => ({
  executionDetails: {
    testTrafficWeights: {},
    productionTrafficWeights: {},
    serviceArn: "arn:aws:ecs:eu-central-1:123456789012:service/main/agent",
    targetServiceRevisionArn: `arn:aws:ecs:eu-central-1:123456789012:service-revision/main/agent/${candidate}`,
  },
  executionId: `exec-${candidate}`,
  lifecycleStage: "POST_TEST_TRAFFIC_SHIFT",
  resourceArn: `arn:aws:ecs:eu-central-1:123456789012:service-deployment/main/agent/${candidate}`,
  hookDetails: { analysis: "recipe", baseline: "v1" },
});

async function invoke(url: string, event: object): Promise<z.infer<typeof HookAnswer>> {
  vi.stubEnv("TOUCHSTONE_URL", url);
  vi.stubEnv("TOUCHSTONE_TOKEN", TOKEN);
  onTestFinished(() => void vi.unstubAllEnvs());
  const path = pathToFileURL(join(ROOT, "deploy/ecs/handler.mjs")).href;
  const { handler } = (await import(path)) as { handler: (event: object) => Promise<unknown> };
  return HookAnswer.parse(await handler(event));
}

test.each([
  ["v4", "SUCCEEDED"],
  ["v2", "FAILED"],
  ["v9", "FAILED"],
])("Amazon ECS: %s comes to %s, and every invocation asks about the same run", async (candidate, status) => {
  const answers: string[] = [];
  for (;;) {
    const { hookStatus } = await invoke(street.url, invocation(candidate));
    answers.push(hookStatus);
    if (hookStatus !== "IN_PROGRESS") break;
  }
  expect(answers.at(-1)).toBe(status);
  const runs = await street.ask("GET", `/v1/runs?version=${candidate}&limit=10`, undefined, {
    authorization: `Bearer ${TOKEN}`,
  });
  expect(runs.body.items.length).toBe(1);
});

test("Amazon ECS waits while Touchstone is away or busy, and fails where it refuses", async () => {
  const busy: Server = createServer((_, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
  const waiting = { hookStatus: "IN_PROGRESS", callBackDelay: 30 };
  expect(await invoke(url, invocation("v4"))).toMatchObject(waiting);
  await new Promise((resolve) => busy.close(resolve));
  expect(await invoke(url, invocation("v4"))).toMatchObject(waiting);
  const unknown = { ...invocation("v4"), executionId: "other", hookDetails: { analysis: "absent", baseline: "v1" } };
  await expect(invoke(street.url, unknown)).rejects.toThrow(/POST \/v1\/runs: 404 .*absent/);
});

const Action = z.object({
  runs: z.object({
    using: z.literal("composite"),
    steps: z.array(
      z.object({
        id: z.string().optional(),
        shell: z.literal("bash"),
        run: z.string(),
        env: z.record(z.string(), z.string()).optional(),
      }),
    ),
  }),
  outputs: z.object({ verdict: z.object({ value: z.string() }) }),
  inputs: z.record(
    z.string(),
    z.object({ description: z.string(), required: z.boolean(), default: z.string().optional() }),
  ),
});

/** Runs a script as GitHub does. @returns the exit code. */
function bash(script: string, env: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const child = execFile("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", script], {
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...env },
      cwd: ROOT,
    });
    child.once("exit", (code) => resolve(code ?? -1));
  });
}

test.each([
  ["v4", "false", "promote", 0],
  ["v2", "true", "rollback", 1],
  ["v9", "false", "pause", 2],
  ["v9", "true", "pause", 0],
])("GitHub's action: %s with allow-pause %s is %s and exits %i", async (candidate, allowPause, verdict, code) => {
  const action = Action.parse(parse(await readFile(join(ROOT, "deploy/github/action.yml"), "utf8")));
  const step = action.runs.steps.find(({ id }) => id === "judge");
  const inputs: Record<string, string> = {
    ...Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? ""])),
    url: street.url,
    token: TOKEN,
    analysis: "recipe",
    baseline: "v1",
    candidate,
    "allow-pause": allowPause,
  };
  const env = Object.fromEntries(
    Object.entries(step?.env ?? {}).map(([name, value]) => [
      name,
      value.replace(/\$\{\{ inputs\.([a-z-]+) \}\}/, (_, input: string) => inputs[input] ?? ""),
    ]),
  );
  const [summary, output] = [join(folder, "summary"), join(folder, "output")];
  for (const file of [summary, output]) await writeFile(file, "");
  const built = 'node "$GITHUB_ACTION_PATH/../../dist/main.js"';
  expect(step?.run).toContain(built);
  const exit = await bash((step?.run ?? "").replace(built, MAIN), {
    ...env,
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_OUTPUT: output,
    GITHUB_RUN_ID: "1",
    GITHUB_RUN_ATTEMPT: allowPause,
    GITHUB_JOB: "judge",
  });
  expect(exit).toBe(code);
  expect(await readFile(output, "utf8")).toBe(`verdict=${verdict}\n`);
  expect(await readFile(summary, "utf8")).toContain("failures");
  expect(action.outputs.verdict.value).toBe("${{ steps.judge.outputs.verdict }}");
});

test.each([
  ["v4", 0],
  ["v2", 1],
])("plain CI with curl: %s exits %i", async (candidate, code) => {
  const docs = await readFile(join(ROOT, "docs/controllers/ci.md"), "utf8");
  const script =
    [...docs.matchAll(/```sh\n([^]*?)```/g)].map(([, text = ""]) => text).find((text) => text.includes("curl")) ?? "";
  const wanted = script.replace("support-agent", "recipe").replace('"v41"', '"v1"').replace('"v42"', `"${candidate}"`);
  const env = { TOUCHSTONE_URL: street.url, TOUCHSTONE_TOKEN: TOKEN, CI_JOB_ID: `job-${candidate}` };
  expect(await bash(`cd "${folder}"\n${wanted}`, env)).toBe(code);
});
