import { createServer } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { Histogram, Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { RunView } from "../../src/model/run.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { run as runCommand } from "../cli/run.ts";
import { askServer } from "../street.ts";
import { createDatabase } from "./database.ts";
import { createEvals } from "./evals.ts";
import { freePort, startPrometheus, startTouchstoneProcess, type Server } from "./servers.ts";

const postgresUrl = inject("postgresUrl");
const prometheusUrl = inject("prometheusUrl");
const redisUrl = inject("redisUrl");
const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };

/** Processes of the bundle as people run it. */
interface Deployment {
  readonly url: string;
  readonly processes: readonly (Server & { log: () => string })[];
}

const WIRINGS = [
  {
    name: "embedded",
    needs: [],
    start: (sources: Record<string, string>) =>
      startTouchstoneProcess([], sources).then((server): Deployment => ({ url: server.url, processes: [server] })),
  },
  {
    name: "on Postgres, an API and two workers",
    needs: [],
    start: (sources: Record<string, string>) => startApart(sources),
  },
  {
    name: "on Postgres and Redis, an API and two workers",
    needs: [redisUrl],
    start: (sources: Record<string, string>) => startApart({ ...sources, REDIS_URL: redisUrl ?? "" }),
  },
];

async function startApart(env: Record<string, string>): Promise<Deployment> {
  const database = await createDatabase(postgresUrl ?? "");
  databases.push(database);
  const { runCli } = await import("../../src/cli/cli.ts");
  const { readConfig } = await import("../../src/config.ts");
  const { migrateRecord } = await import("../../src/wire.ts");
  const all = { ...env, DATABASE_URL: database.url };
  const never = () => Promise.reject(new Error("not in this test"));
  const code = await runCli(["migrate"], {
    readConfig: () => readConfig(all),
    serve: never,
    migrate: migrateRecord,
    backup: never,
    restore: never,
    wireFiles: never,
    readRecordings: () => {
      throw new Error("not in this test");
    },
    wireReplay: () => new Map(),
    wireSources: () => new Map(),
    stdout: () => undefined,
    stderr: (text) => void process.stderr.write(text),
    now: () => "",
  });
  expect(code).toBe(0);
  const [api, ...workers] = await Promise.all([
    startTouchstoneProcess(["--role", "api"], all),
    startTouchstoneProcess(["--role", "worker"], all),
    startTouchstoneProcess(["--role", "worker"], all),
  ]);
  return { url: api.url, processes: [api, ...workers] };
}

const databases: Awaited<ReturnType<typeof createDatabase>>[] = [];

describe.skipIf(postgresUrl === null || prometheusUrl === null)("the street on real parts", () => {
  let evals: Awaited<ReturnType<typeof createDatabase>>;
  let folder: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    evals = await createEvals(postgresUrl ?? "");
    folder = mkdtempSync(join(tmpdir(), "touchstone-sources-"));
    const sources = join(folder, "sources.yaml");
    const deadPort = await freePort();
    writeFileSync(
      sources,
      `sources:
- { name: evals, type: postgres, url: env:EVALS_URL }
- { name: prometheus, type: prometheus, url: "${prometheusUrl}" }
- { name: prometheus-down, type: prometheus, url: "http://127.0.0.1:${deadPort}" }
`,
    );
    env = { TOUCHSTONE_SOURCES: sources, EVALS_URL: evals.url };
  });
  afterAll(async () => {
    await evals.drop();
    await Promise.all(databases.map((database) => database.drop()));
    rmSync(folder, { recursive: true });
  });

  describe.each(WIRINGS)("$name", ({ needs, start }) => {
    const missing = needs.includes(null);
    let deployment: Deployment;
    beforeAll(async () => {
      if (!missing) deployment = await start(env);
    });
    afterAll(async () => {
      await Promise.all((deployment?.processes ?? []).map((server) => server.stop()));
    });

    async function judge(candidate: string, more: object = {}): Promise<RunView> {
      const body = {
        analysis: "support-agent",
        baseline: { label: "v1" },
        candidate: { label: candidate },
        window: WINDOW,
        ...more,
      };
      const started = await askServer(deployment.url, "POST", "/v1/runs", body);
      expect(started.status, started.text).toBe(202);
      const read = await askServer(deployment.url, "GET", `/v1/runs/${started.body.id}?wait=30s`);
      return RunView.parse(read.body);
    }

    test.skipIf(missing)("the worse version is rolled back, with quality and cost as the reasons", async () => {
      const run = await judge("v2");
      expect(run, JSON.stringify(run.error)).toMatchObject({
        status: "done",
        verdict: "rollback",
        rollbackTarget: { label: "v1" },
      });
      expect(run.reasons.map(({ code, metric }) => [code, metric])).toEqual([
        ["critical_metric_worse", "quality"],
        ["required_metric_worse", "cost"],
      ]);
      expect(run.findings.map(({ metric, shape }) => [metric, shape])).toEqual([
        ["quality", "samples"],
        ["failures", "samples"],
        ["cost", "samples"],
        ["latency", "histogram"],
      ]);
      const quality = run.findings[0];
      expect(quality?.units).toEqual({ baseline: 2000, candidate: 2000 });
      // The means of the files, by hand: awk -F, 'NR>1{s+=$3}END{print s/(NR-1)}'
      expect(quality?.arms?.baseline.mean).toBeCloseTo(3.9965, 9);
      expect(quality?.arms?.candidate.mean).toBeCloseTo(3.4755, 9);
    });

    test.skipIf(missing)("the equal version with enough units is promoted", async () => {
      expect(await judge("v3")).toMatchObject({ status: "done", verdict: "promote" });
    });

    test.skipIf(missing)("a version with a dozen sessions pauses for too few units", async () => {
      const run = await judge("v5");
      expect(run.verdict).toBe("pause");
      expect(run.reasons).toContainEqual({
        code: "too_few_units",
        metric: "quality",
        text: "quality: 12 units in an arm, fewer than the 100 needed",
      });
    });

    test.skipIf(missing)("a version that nobody has seen pauses for lack of data", async () => {
      const run = await judge("v77");
      expect(run.verdict).toBe("pause");
      expect(new Set(run.reasons.map(({ code }) => code))).toEqual(new Set(["no_data"]));
      expect(run.reasons.length).toBe(4);
    });

    test.skipIf(missing)("a Prometheus that is down pauses and is named, and does not hide proven harm", async () => {
      const { body } = await askServer(deployment.url, "GET", "/v1/analyses/support-agent");
      const document = structuredClone(body.document);
      document.metadata.name = "support-agent-down";
      document.spec.metrics[3].source = "prometheus-down";
      const paused = await judge("v3", { analysis: document });
      expect(paused.verdict).toBe("pause");
      expect(paused.reasons).toEqual([
        {
          code: "source_error",
          metric: "latency",
          text: expect.stringMatching(
            /prometheus-down gave no answer for the candidate: .*ECONNREFUSED.*\(source_unavailable\)/,
          ),
        },
      ]);
      expect(await judge("v2", { analysis: document })).toMatchObject({ verdict: "rollback" });
      // Where the worker is another process, its own metrics tell.
      if (deployment.processes.length > 1) return;
      const { text } = await askServer(deployment.url, "GET", "/metrics");
      expect(text).toMatch(
        /^touchstone_source_retries_total\{source="prometheus-down",code="source_unavailable"\} [1-9]/m,
      );
      expect(text).toMatch(/^touchstone_source_breaker_state\{source="prometheus"\} 0$/m);
      expect(text).toMatch(/^touchstone_source_queries_in_progress\{source="evals"\} 0$/m);
      expect(text).toMatch(/^touchstone_source_wait_duration_seconds_count\{source="evals"\} [1-9]/m);
    });

    test.skipIf(missing)("twenty runs at once all come to their verdict", async () => {
      const runs = await Promise.all(Array.from({ length: 20 }, (_, index) => judge(index % 2 === 0 ? "v2" : "v3")));
      expect(runs.map(({ verdict }) => verdict)).toEqual(
        runs.map((_, index) => (index % 2 === 0 ? "rollback" : "promote")),
      );
    });

    test.skipIf(missing)("equal input gives an equal report but for its run and time", async () => {
      const [a, b] = await Promise.all([judge("v2"), judge("v2")]);
      expect(a?.findings).toEqual(b?.findings);
      expect(a?.evidence).toEqual(b?.evidence);
    });

    test.skipIf(missing)(
      "everything judged so far is judged again here to the same bytes, dead sources included",
      async () => {
        const verified = await runCommand(["verify", "--all"], { TOUCHSTONE_URL: deployment.url });
        expect(verified.out).toMatch(/\n(?:2[5-9]|[3-9]\d) identical, 0 differ, 0 cannot be verified/);
        expect(verified.code).toBe(0);
      },
    );

    test.skipIf(missing)("what Touchstone tells of itself holds no secret", async () => {
      await judge("v2");
      const logs = deployment.processes.map((server) => server.log()).join("");
      expect(logs).toMatch(/"msg":"verdict"/);
      expect(logs).not.toContain(new URL(evals.url).pathname.slice(1));
    });
  });

  test("two live agents that a Prometheus scrapes: the slower one is rolled back", async () => {
    const agents = await Promise.all([startAgent(1, 0.2), startAgent(2, 0.4)]);
    const prometheus = await startPrometheus({
      targets: { fast: agents[0]?.address ?? "", slow: agents[1]?.address ?? "" },
    });
    onTestFinished(async () => {
      await prometheus.stop();
      for (const agent of agents) agent.stop();
    });
    const sources = join(folder, "live.yaml");
    writeFileSync(sources, `sources:\n- { name: live, type: prometheus, url: "${prometheus.url}" }\n`);
    const touchstone = await startTouchstoneProcess([], { TOUCHSTONE_SOURCES: sources });
    onTestFinished(() => touchstone.stop());
    const scraped = async () => {
      const answer = await askServer(
        prometheus.url,
        "GET",
        "/api/v1/query?query=count_over_time(agent_turn_seconds_count%5B1m%5D)",
      );
      return (
        answer.body.data.result.length === 2 &&
        answer.body.data.result.every(({ value }: { value: [number, string] }) => Number(value[1]) >= 14)
      );
    };
    await expect.poll(scraped, { timeout: 40_000, interval: 500 }).toBe(true);
    const analysis = {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: "live" },
      spec: {
        unit: "step",
        plan: { mode: "once", duration: "13s", settle: "0s", step: "1s" },
        metrics: [
          {
            name: "latency",
            kind: "latency",
            source: "live",
            query: { histogram: 'agent_turn_seconds_bucket{version="{{ version }}"}' },
            margin: "10%",
            tier: "critical",
          },
        ],
      },
    };
    const started = await askServer(touchstone.url, "POST", "/v1/runs", {
      analysis,
      baseline: { label: "fast" },
      candidate: { label: "slow" },
    });
    expect(started.status, started.text).toBe(202);
    const run = RunView.parse((await askServer(touchstone.url, "GET", `/v1/runs/${started.body.id}?wait=30s`)).body);
    expect(run.verdict, run.summary ?? "").toBe("rollback");
    expect(run.findings[0]?.components[0]?.effect.estimate).toBeGreaterThan(0.6);
  }, 90_000);
});

/** A little agent with metrics of its own: turns whose duration is drawn around a median. */
async function startAgent(seed: number, medianSeconds: number): Promise<{ address: string; stop(): void }> {
  const registry = new Registry();
  const turns = new Histogram({
    name: "agent_turn_seconds",
    help: "Duration of a turn.",
    buckets: [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2],
    registers: [registry],
  });
  const random = seeded(seed);
  const turn = () => turns.observe(medianSeconds * Math.exp(0.4 * standardNormal(random)));
  const timer = setInterval(() => {
    for (let i = 0; i < 5; i++) turn();
  }, 20);
  const server = createServer((_, response) => void registry.metrics().then((text) => response.end(text)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      clearInterval(timer);
      server.close();
      server.closeAllConnections();
    },
  };
}
