import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerJudgeRequest } from "../src/api/answer-judge-request.ts";
import { readConfig } from "../src/config.ts";
import { createLogger } from "../src/log.ts";
import { wireSources } from "../src/wire-sources.ts";
import { startTouchstone, type WireOverrides } from "../src/wire.ts";
import { observedLook } from "../src/worker/observed-look.ts";

/** What came back: JSON is parsed, everything else stays text. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape.
  readonly body: any;
  readonly text: string;
}

/** A running Touchstone and a way to ask it. */
export interface Street {
  readonly url: string;
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  stop(): Promise<void>;
}

/**
 * The whole street on embedded adapters, looks inline, on a free port, in a folder that goes with it.
 *
 * @param sources  the YAML that an operator would write.
 */
export async function startStreet(
  sources: string,
  env: Readonly<Record<string, string>> = {},
  log = createLogger("silent"),
  overrides: WireOverrides = {},
): Promise<Street> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-street-"));
  const path = join(folder, "sources.yaml");
  await writeFile(path, sources);
  const config = readConfig({
    PORT: "0",
    LOG_LEVEL: "silent",
    TOUCHSTONE_DATA_DIR: join(folder, "data"),
    TOUCHSTONE_SOURCES: path,
    ...env,
  });
  const wired = wireSources({ configs: config.sources, environment: config.secrets.environment });
  const touchstone = await startTouchstone(config, "all", {
    sources: wired,
    log,
    judgeMetricSets: (body) => Promise.resolve(answerJudgeRequest(body)),
    runLook: (run, previous, now, signal, observer) =>
      observedLook(wired, run, previous, now, signal, config.evidenceLimitBytes, observer),
    ...overrides,
  });
  const url = touchstone.url ?? "";
  return {
    url,
    ask: (method, path_, body, headers) => askServer(url, method, path_, body, headers),
    async stop() {
      await touchstone.stop();
      await rm(folder, { recursive: true });
    },
  };
}

export async function askServer(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const init: RequestInit = {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  };
  if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}`, init);
  const text = await response.text();
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : null, text };
}
