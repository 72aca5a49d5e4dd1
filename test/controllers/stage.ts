import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { TouchstoneError } from "../../src/errors.ts";
import { createLogger } from "../../src/log.ts";
import { RunView } from "../../src/model/run.ts";
import type { Samples } from "../../src/model/samples.ts";
import { epochSeconds } from "../../src/model/time.ts";
import type { MetricSource } from "../../src/sources/source.ts";
import { seeded } from "../../src/stats/random.ts";
import { migrateRecord, startTouchstone } from "../../src/wire.ts";
import { observedLook } from "../../src/worker/observed-look.ts";
import { askServer, type Answer } from "../street.ts";

/** A running Touchstone with live sessions and analyses for every state that a controller can meet. */
export interface Stage {
  readonly url: string;
  /** With the token. */
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  run(id: string): Promise<RunView>;
  /** Reads the run until it is as wanted. */
  until(id: string, isThere: (run: RunView) => boolean): Promise<RunView>;
  override(id: string, verdict: string): Promise<void>;
  /** So that the runs of one test do not take the time of the next. */
  cancelLive(): Promise<void>;
  /** The process ends, and another one comes up with the same record. */
  restart(whileDown?: (dataDir: string) => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export const TOKEN = "a-token/of-no-use,100%";

const SESSIONS_PER_SECOND = 30;

/** Sessions fail at these rates: of v2 four times as often as of v1, of v3 as often, of v4 half as often; a canary is compared with its primary. Of v9 nothing is known. */
const RATES: ReadonlyMap<string, number> = new Map([
  ["v1", 0.1],
  ["v2", 0.4],
  ["v3", 0.1],
  ["v4", 0.05],
  ["shop-primary", 0.1],
  ["shop", 0.05],
  ["bad-primary", 0.1],
  ["bad", 0.4],
]);

/** The sessions of whatever time is asked for, always the same ones: a recording without an end. */
const SESSIONS: MetricSource = {
  type: "replay",
  check: () => [],
  render: ({ version }) => version.label,
  fetch({ version: { label }, window }) {
    const rate = RATES.get(label);
    if (rate === undefined || window === null)
      return Promise.reject(new TouchstoneError("source_unavailable", `there is no ${label}.csv`));
    const [from, to] = [epochSeconds(window.start), epochSeconds(window.end)];
    const unitNames: string[] = [];
    const values: number[] = [];
    const at: number[] = [];
    for (let second = Math.floor(from); second < to; second++) {
      const random = seeded(second * RATES.size + [...RATES.keys()].indexOf(label));
      for (let session = 0; session < SESSIONS_PER_SECOND; session++) {
        const failed = random() < rate;
        const begins = second + session / SESSIONS_PER_SECOND;
        if (begins < from || begins >= to) continue;
        unitNames.push(`${label}-${second}-${session}`);
        values.push(failed ? 1 : 0);
        at.push(begins);
      }
    }
    const samples: Samples = {
      shape: "samples",
      values: Float64Array.from(values),
      units: Int32Array.from(values.keys()),
      unitNames,
      at: Float64Array.from(at),
      strata: null,
      stratumNames: [],
    };
    return Promise.resolve({ samples, faults: [], warnings: [] });
  },
};

const METRIC = {
  name: "failures",
  kind: "errors",
  source: "live",
  margin: "10pp",
  query: { value: "failed", unit: "session", at: "at" },
};
const LIVE = { every: "1s", step: "1s", settle: "0s" };
const ONCE = { mode: "once", duration: "20s", settle: "0s", step: "1s" };
const analysis = (name: string, plan: object, spec: object = {}) => ({
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name },
  spec: { unit: "session", plan, metrics: [METRIC], ...spec },
});

const ANALYSES = [
  analysis("once", ONCE),
  analysis("live", { ...LIVE, mode: "continuous", maxDuration: "1h" }),
  analysis("short", { ...LIVE, mode: "scheduled", duration: "4s" }),
  /** Decides nothing before the end. */
  analysis("patient", { ...LIVE, mode: "continuous", maxDuration: "1h", minDuration: "30m" }),
  analysis("queued", { ...LIVE, mode: "continuous", maxDuration: "1h", warmup: "10m" }),
  analysis("breaks", { ...LIVE, mode: "continuous", maxDuration: "1h" }),
  analysis("asks", { ...LIVE, mode: "continuous", maxDuration: "1h" }, { args: { region: null, count: "1" } }),
  analysis("elsewhere", ONCE, { metrics: [{ ...METRIC, source: "nowhere" }] }),
];

/** @param env  of the process besides; with DATABASE_URL the record is there, and migrated. */
export async function setStage(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-controllers-"));
  const config = readConfig({
    PORT: "0",
    LOG_LEVEL: "silent",
    TOUCHSTONE_DATA_DIR: join(folder, "data"),
    TOUCHSTONE_TOKEN: TOKEN,
    ...env,
  });
  if (config.dataDir === null) await migrateRecord(config);
  const sources = new Map([["live", SESSIONS]]);
  const begin = () =>
    startTouchstone(config, "all", {
      sources,
      log: createLogger("silent"),
      runLook: (run, previous, now, signal, observer) => {
        // The one fault that no source can bring about: a bug of ours.
        if (run.analysis.name === "breaks") throw new RangeError("a bug that the test brought in");
        return observedLook(sources, run, previous, now, signal, config.evidenceLimitBytes, observer);
      },
    });
  let touchstone = await begin();
  const stage: Stage = {
    get url() {
      return touchstone.url ?? "";
    },
    ask: (method, path_, body, headers) =>
      askServer(touchstone.url ?? "", method, path_, body, { authorization: `Bearer ${TOKEN}`, ...headers }),
    async run(id) {
      return RunView.parse((await stage.ask("GET", `/v1/runs/${id}`)).body);
    },
    async until(id, isThere) {
      for (;;) {
        const run = RunView.parse((await stage.ask("GET", `/v1/runs/${id}?wait=200ms`)).body);
        if (isThere(run)) return run;
      }
    },
    async override(id, verdict) {
      for (;;) {
        const { version } = await stage.run(id);
        const body = { verdict, reason: "somebody looked closely", by: "ann", expectedVersion: version };
        const answer = await stage.ask("POST", `/v1/runs/${id}/override`, body);
        if (answer.status === 200) return;
        // Another look came between.
        if (answer.body?.code !== "conflict") throw new Error(answer.text);
      }
    },
    async cancelLive() {
      for (const status of ["queued", "running"]) {
        const { body } = await stage.ask("GET", `/v1/runs?status=${status}&limit=200`);
        for (const { id } of body.items) await stage.ask("POST", `/v1/runs/${id}/cancel`);
      }
    },
    async restart(whileDown) {
      await touchstone.stop();
      await whileDown?.(join(folder, "data"));
      touchstone = await begin();
    },
    async stop() {
      await touchstone.stop();
      await rm(folder, { recursive: true });
    },
  };
  for (const document of ANALYSES) {
    const stored = await stage.ask("PUT", `/v1/analyses/${document.metadata.name}`, document);
    if (stored.status !== 200) throw new Error(stored.text);
  }
  return stage;
}
