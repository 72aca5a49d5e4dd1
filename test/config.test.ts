import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { TouchstoneError } from "../src/errors.ts";

async function file(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "f"), content);
  return join(folder, "f");
}

function faultsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof TouchstoneError && error.code === "invalid_config")
      return error.issues.map(({ pointer, detail }) => `${pointer} ${detail}`);
    throw error;
  }
  throw new Error("the environment was accepted");
}

test("nothing set means embedded, on loopback, without a token", () => {
  expect(readConfig({})).toMatchObject({
    host: "127.0.0.1",
    port: 8080,
    concurrency: 2,
    maxWaiting: 50_000,
    dataDir: expect.stringMatching(/\.touchstone$/),
    sources: [],
    targets: [],
    tracing: false,
    secrets: { databaseUrl: null, redisUrl: null, token: null },
  });
});

test("a database takes the place of the data folder", () => {
  expect(readConfig({ DATABASE_URL: "postgres://localhost/t", REDIS_URL: "redis://localhost" })).toMatchObject({
    dataDir: null,
    secrets: { databaseUrl: "postgres://localhost/t", redisUrl: "redis://localhost" },
  });
});

test("every bad variable is reported together", () => {
  expect(
    faultsOf({ PORT: "http", LOG_LEVEL: "loud", DATABASE_URL: "mysql://x", TOUCHSTONE_CONCURRENCY: "0" }).map(
      (fault) => fault.split(" ")[0],
    ),
  ).toEqual(["PORT", "LOG_LEVEL", "DATABASE_URL", "TOUCHSTONE_CONCURRENCY"]);
});

test("Redis without a database is refused with what to set", () => {
  expect(faultsOf({ REDIS_URL: "redis://localhost" })).toEqual([
    expect.stringMatching(/^REDIS_URL is set without DATABASE_URL; .* set DATABASE_URL/),
  ]);
});

test("what is kept is bounded: by age, embedded by size too, and what one run may keep", () => {
  expect(readConfig({})).toMatchObject({
    evidenceLimitBytes: 4e6,
    retention: { ageSeconds: 90 * 86_400, contentBytes: 1e9 },
  });
  expect(readConfig({ DATABASE_URL: "postgres://localhost/t" }).retention.contentBytes).toBeNull();
  expect(
    readConfig({
      TOUCHSTONE_EVIDENCE_LIMIT: "0MB",
      TOUCHSTONE_RETENTION: "forever",
      TOUCHSTONE_RETENTION_SIZE: "2.5GB",
    }),
  ).toMatchObject({ evidenceLimitBytes: 0, retention: { ageSeconds: null, contentBytes: 2.5e9 } });
  expect(
    faultsOf({
      TOUCHSTONE_EVIDENCE_LIMIT: "1GB",
      TOUCHSTONE_RETENTION: "12h",
      TOUCHSTONE_RETENTION_SIZE: "100",
    }),
  ).toEqual([
    "TOUCHSTONE_EVIDENCE_LIMIT must be at most 256MB",
    "TOUCHSTONE_RETENTION must be at least 1d, or forever",
    "TOUCHSTONE_RETENTION_SIZE must be a size, for example 500kB, 4MB or 2GB",
  ]);
  expect(faultsOf({ TOUCHSTONE_RETENTION: "soon" })).toEqual([
    "TOUCHSTONE_RETENTION must be a duration, for example 90d, or forever",
  ]);
});

test("a host that others reach needs a token, loopback does not", () => {
  expect(faultsOf({ HOST: "0.0.0.0" })).toEqual([
    expect.stringMatching(/^TOUCHSTONE_TOKEN is not set, but HOST is 0\.0\.0\.0/),
  ]);
  expect(readConfig({ HOST: "0.0.0.0", TOUCHSTONE_TOKEN: "0123456789abcdef" }).host).toBe("0.0.0.0");
  for (const HOST of ["localhost", "127.0.0.2", "::1"]) expect(readConfig({ HOST }).host).toBe(HOST);
  expect(faultsOf({ HOST: "localhost.example.com" }).length).toBe(1);
  expect(faultsOf({ TOUCHSTONE_TOKEN: "short" })).toEqual([
    expect.stringMatching(/^TOUCHSTONE_TOKEN must have at least 16/),
  ]);
});

test("a variable may name a file that holds it, and not both", async () => {
  const path = await file("0123456789abcdef\n");
  expect(readConfig({ TOUCHSTONE_TOKEN_FILE: path }).secrets.token).toBe("0123456789abcdef");
  expect(faultsOf({ TOUCHSTONE_TOKEN_FILE: path, TOUCHSTONE_TOKEN: "0123456789abcdef" })).toEqual([
    expect.stringMatching(/is set beside TOUCHSTONE_TOKEN_FILE/),
  ]);
  expect(faultsOf({ TOUCHSTONE_TOKEN_FILE: "/nowhere" })).toEqual([
    expect.stringMatching(/^TOUCHSTONE_TOKEN_FILE .*no such file/i),
  ]);
});

test("sources are read with their secrets by reference, folders relative to the file", async () => {
  const path = await file(
    "sources:\n- { name: prom, type: prometheus, url: http://prometheus:9090, bearerToken: env:PROM }\n- { name: evals, type: postgres, url: env:EVALS }\n- { name: files, type: file, root: data }\n",
  );
  const config = readConfig({ TOUCHSTONE_SOURCES: path, PROM: "p", EVALS: "e", OTHER: "o" });
  expect(config.sources.map(({ name }) => name)).toEqual(["prom", "evals", "files"]);
  expect(config.sources[2]).toMatchObject({ root: join(path, "..", "data") });
  expect(config.secrets.environment).toEqual({ PROM: "p", EVALS: "e" });
});

test.each([
  ["sources:\n- { name: p, type: prometheus, url: ftp://x }\n", /\/sources\/0\/url must be an http or https URL/],
  ["sources:\n- { name: p, type: influx, url: http://x }\n", /\/sources\/0\/type must be prometheus, postgres or file/],
  ["sources:\n- { name: p, type: postgres, url: postgres://u:p@h/d }\n", /\/sources\/0\/url must be env:NAME/],
  [
    "sources:\n- { name: p, type: file, root: a }\n- { name: p, type: file, root: b }\n",
    /\/sources\/1\/name another source is named p/,
  ],
  ["sources:\n- { name: p, type: file, root: a, colour: red }\n", /\/sources\/0\/colour is not a key/],
  [
    "sources:\n- { name: p, type: prometheus, url: http://x, rate: 0 }\n",
    /\/sources\/0\/rate too small: expected number to be >=0\.01/,
  ],
  [
    "sources:\n- { name: p, type: prometheus, url: http://x, concurrency: 0 }\n",
    /\/sources\/0\/concurrency too small: expected number to be >=1/,
  ],
  [
    "sources:\n- { name: p, type: prometheus, url: http://x, retries: 11 }\n",
    /\/sources\/0\/retries too big: expected number to be <=10/,
  ],
  [
    "sources:\n- { name: p, type: prometheus, url: http://x, breakFor: 5 }\n",
    /\/sources\/0\/breakFor .*expected string/,
  ],
  ["sources:\n- { name: p, type: file, root: a, concurrency: 2 }\n", /\/sources\/0\/concurrency is not a key/],
  [
    "sources:\n- { name: p, type: prometheus, url: http://x, timeout: 5s, attemptTimeout: 6s }\n",
    /\/sources\/0\/attemptTimeout must be at most the timeout, 5s/,
  ],
  ["sources:\n- { name: p, type: postgres, url: env:ABSENT }\n", /refers to env:ABSENT, which is not set/],
  ["sources: [", /is not YAML/],
])("%j is refused", async (content, fault) => {
  expect(faultsOf({ TOUCHSTONE_SOURCES: await file(content) })[0]).toMatch(fault);
});

test("targets are read with their secrets by reference", async () => {
  const path = await file(
    `targets:
- { name: pager, type: webhook, url: https://pager.example.com/hook, secrets: [env:NEW, env:OLD], headers: { authorization: env:AUTH }, events: [run.done, run.failed], verdicts: [rollback] }
- { name: chat, type: slack, url: env:SLACK, always: true, timeout: 5s }
`,
  );
  const config = readConfig({ TOUCHSTONE_TARGETS: path, NEW: "n", OLD: "o", AUTH: "a", SLACK: "s", OTHER: "x" });
  expect(config.targets.map(({ name, type }) => [name, type])).toEqual([
    ["pager", "webhook"],
    ["chat", "slack"],
  ]);
  expect(config.secrets.environment).toEqual({ NEW: "n", OLD: "o", AUTH: "a", SLACK: "s" });
});

const HOOK = "name: p, type: webhook, secrets: [file:/s]";

test.each([
  [
    "{ name: p, type: postmortem, url: https://x, secrets: [env:S], exposure: {} }",
    /exposure give units, duration, or both/,
  ],
  [
    "{ name: p, type: postmortem, url: https://x, secrets: [env:S], exposure: { units: 1 }, events: [run.done] }",
    /events is not a key/,
  ],
  ["{ name: p, type: grafana, url: https://x, token: glsa_x }", /\/targets\/0\/token/],
  ["{ name: p, type: alertmanager, url: https://x, labels: { a-b: c } }", /is not the name of a label/],
  ["{ name: p, type: cloudevents, url: https://x, source: 'a b' }", /source must be a URI/],
  ["{ name: p, type: webhook, url: https://x, secrets: [env:S], minSeverity: error }", /minSeverity/],
  [
    "{ name: p, type: email, url: https://x }",
    /\/targets\/0\/type must be webhook, slack, cloudevents, alertmanager, grafana or postmortem/,
  ],
  ["{ name: p, type: webhook, url: https://x }", /\/targets\/0\/secrets is missing/],
  ["{ name: p, type: webhook, url: https://x, secrets: [] }", /\/targets\/0\/secrets /],
  ["{ name: p, type: webhook, url: https://x, secrets: [whsec_AAAA] }", /\/targets\/0\/secrets\/0 must be env:NAME/],
  [`{ ${HOOK}, url: gopher://x }`, /\/targets\/0\/url must be an http or https URL/],
  [`{ ${HOOK}, url: "https://u:p@x" }`, /\/targets\/0\/url holds a user or password/],
  [`{ ${HOOK}, url: https://x, colour: red }`, /\/targets\/0\/colour is not a key/],
  [`{ ${HOOK}, url: https://x, timeout: 31s }`, /\/targets\/0\/timeout must be more than 0s and at most 30s/],
  [`{ ${HOOK}, url: https://x, timeout: 0s }`, /\/targets\/0\/timeout must be more than 0s/],
  [`{ ${HOOK}, url: https://x, events: [run.started] }`, /\/targets\/0\/events\/0 /],
  [
    `{ ${HOOK}, url: https://x, events: [run.failed], verdicts: [pause] }`,
    /\/targets\/0\/verdicts chooses among run.done/,
  ],
  [
    `{ ${HOOK}, url: https://x, headers: { Webhook-Id: env:X } }`,
    /\/targets\/0\/headers\/Webhook-Id is a header that Touchstone sets itself/,
  ],
  [`{ ${HOOK}, url: https://x, headers: { x-a: plain } }`, /\/targets\/0\/headers\/x-a must be env:NAME/],
  ["{ name: p, type: slack, url: https://hooks.slack.com/x }", /\/targets\/0\/url must be env:NAME/],
  ["{ name: p, type: slack, url: env:ABSENT }", /^TOUCHSTONE_TARGETS: \S+ refers to env:ABSENT, which is not set/],
  [
    `{ ${HOOK}, url: https://x }\n- { name: p, type: slack, url: file:/s }`,
    /\/targets\/1\/name another target is named p/,
  ],
])("the target %j is refused", async (target, fault) => {
  expect(faultsOf({ TOUCHSTONE_TARGETS: await file(`targets:\n- ${target}\n`) })[0]).toMatch(fault);
});

describe("traces", () => {
  test("are sent where the standard variables say where to, unless they turn them off", () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
    expect(readConfig({}).tracing).toBe(false);
    expect(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }).tracing).toBe(false);
    expect(readConfig({ OTEL_SERVICE_NAME: "judge" }).tracing).toBe(false);
    expect(readConfig(endpoint).tracing).toBe(true);
    expect(readConfig({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://c/v1/traces" }).tracing).toBe(true);
    expect(readConfig({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" }).tracing).toBe(true);
    expect(readConfig({ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }).tracing).toBe(false);
    expect(readConfig({ ...endpoint, OTEL_TRACES_EXPORTER: "none" }).tracing).toBe(false);
  });

  test("are refused where the vendor would send them nowhere without a word", () => {
    expect(faultsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" })).toEqual([
      "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL",
    ]);
    expect(faultsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toEqual([
      "OTEL_EXPORTER_OTLP_PROTOCOL is grpc; traces are sent as http/protobuf only",
    ]);
  });
});

test(".env.example lists every variable", async () => {
  const example = await readFile(new URL("../.env.example", import.meta.url), "utf8");
  const source = await readFile(new URL("../src/config.ts", import.meta.url), "utf8");
  const names = [...source.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name ?? "");
  expect(names.length).toBeGreaterThan(9);
  for (const name of names) expect(example).toMatch(new RegExp(`^#? ?${name}=`, "m"));
});
