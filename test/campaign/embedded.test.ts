import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { RunListItem } from "../../src/model/run.ts";
import { checkAudit, readPages } from "./check-invariants.ts";
import { createCallers } from "./callers.ts";
import { chance, pauseBetween, pick, SEED } from "./chance.ts";
import { startMetricsSource } from "./metrics-source.ts";
import { deploy } from "./processes.ts";
import { CANDIDATE_KINDS, manyLooks, oneLook } from "./requests.ts";
import { isReady } from "./stage.ts";
import { print } from "./summary.ts";
import { quantile } from "./timeline.ts";
import { until } from "./until.ts";

const RunPage = z.object({ items: z.array(RunListItem), nextCursor: z.string().nullable() });

/** A tenth of what the campaign kills otherwise; thirty in the long form. */
const KILLS = Math.min(30, Math.ceil(Number(process.env["TOUCHSTONE_CAMPAIGN_KILLS"] ?? 100) / 10));

test(`${KILLS} kills of the one process that is everything: it takes its own lock over, and nothing that was accepted is lost`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-embedded-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const source = await startMetricsSource({ random: chance(30) });
  onTestFinished(() => source.close());
  const sources = join(folder, "sources.yaml");
  writeFileSync(sources, `sources:\n- { name: metrics, type: prometheus, url: "${source.url}" }\n`);
  const deployment = await deploy(
    { TOUCHSTONE_SOURCES: sources, TOUCHSTONE_DATA_DIR: join(folder, "data") },
    { apis: 0, workers: 0 },
  );
  onTestFinished(() => deployment.close());
  const random = chance(31);
  await deployment.add("all");
  const callers = createCallers(() => deployment.programs().map(({ url }) => url), chance(32), "embedded");
  const begun = performance.now();
  const ready: number[] = [];
  let n = 0;
  const isUp = async () => {
    const [one] = deployment.programs();
    return one !== undefined && (await isReady(one.url));
  };
  await until("the process to be ready", isUp);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const posts = Array.from({ length: 5 }, () => {
      n += 1;
      const kind = pick(random, CANDIDATE_KINDS) ?? "good";
      return callers.start(random() < 0.3 ? manyLooks(kind, String(n)) : oneLook(kind, String(n)));
    });
    await pauseBetween(random, 0, 1_500);
    for (const program of deployment.programs()) deployment.kill(program);
    const killed = performance.now();
    await until("the process to be ready again", isUp);
    ready.push((performance.now() - killed) / 1000);
    await Promise.all(posts);
  }
  const lastKill = performance.now();
  const live = new Set(callers.accepted.keys());
  await until(
    "every run to end",
    async () => {
      for (const id of live) if ((await callers.read(id)).dueAt === null) live.delete(id);
      return live.size === 0;
    },
    180,
  );
  const drained = (performance.now() - lastKill) / 1000;

  const verdicts: string[] = [];
  for (const { id, request, key } of callers.accepted.values()) {
    const run = await callers.read(id);
    verdicts.push(run.verdict === request.expected ? "as expected" : `${id}: ${run.status}, ${run.summary}`);
    const again = await callers.ask("POST", "/v1/runs", request.body, { "idempotency-key": key });
    expect(JSON.parse(again.text)).toMatchObject({ id });
  }
  const pages = await readPages(callers, "/v1/runs", RunPage);
  const ids = pages.flatMap(({ items }) => items.map(({ id }) => id));
  expect(ids.toSorted()).toEqual([...callers.accepted.keys()].toSorted());
  expect(await checkAudit(callers, ids)).toEqual([]);
  ready.sort((a, b) => a - b);
  print(`the embedded record, ${KILLS} kills, seed ${SEED}`, {
    accepted: callers.accepted.size,
    verdicts: verdicts.length,
    "from kill to ready p50, max": [0.5, 1].map((q) => `${quantile(ready, q).toFixed(1)} s`).join(", "),
    "drained after the last kill": `${drained.toFixed(1)} s`,
    "wall time": `${((performance.now() - begun) / 1000).toFixed(0)} s`,
  });
  expect(verdicts.filter((verdict) => verdict !== "as expected")).toEqual([]);
  expect(deployment.faults).toEqual([]);
  expect(callers.faults).toEqual([]);
});
