import { expect, onTestFinished, test } from "vitest";
import { PAYLOAD_VERSION } from "../../src/store/payload-version.ts";
import { chance, pauseBetween, pick } from "./chance.ts";
import { checkInvariants } from "./check-invariants.ts";
import type { Program } from "./processes.ts";
import { CANDIDATE_KINDS, manyLooks, oneLook } from "./requests.ts";
import { CAN_RUN, isReady, setStage, type Stage } from "./stage.ts";
import { print } from "./summary.ts";
import { quantile } from "./timeline.ts";
import { until } from "./until.ts";

const IN_FLIGHT = 100;

test.skipIf(!CAN_RUN)(
  `every process is replaced, one after the other, with ${IN_FLIGHT} runs in flight and posts coming in: no request fails and no run is lost`,
  async () => {
    const stage = await setStage({ apis: 2, workers: 2, env: { TOUCHSTONE_CONCURRENCY: "4" } });
    onTestFinished(() => stage.close());
    const random = chance(20);
    const kinds = () => pick(random, CANDIDATE_KINDS) ?? "good";
    for (let n = 0; n < IN_FLIGHT; n += 10)
      await Promise.all(
        Array.from({ length: 10 }, (_, i) => stage.callers.start(manyLooks(kinds(), `flight-${n + i}`))),
      );

    // A run as a newer program would store it: the workers here are the old ones, and leave it alone.
    const newer = await stage.callers.start(manyLooks("good", "newer"));
    const versionOf = (v: number) =>
      stage.record.query<{ epoch: number }>("update touchstone.runs set v = $2 where id = $1 returning epoch", [
        newer?.id,
        v,
      ]);
    const left = await versionOf(PAYLOAD_VERSION + 1);

    const over = new AbortController();
    const times: number[] = [];
    const load = (async () => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const started = performance.now();
        await stage.callers.start(oneLook(kinds(), `load-${n}`));
        times.push(performance.now() - started);
        await pauseBetween(random, 0, 100);
      }
    })();
    const seconds: number[] = [];
    for (const old of stage.deployment.programs()) seconds.push(await replace(stage, old));
    over.abort();
    await load;
    await until("all but one run to end", async () => (await stage.record.live()) === 1, 120);
    expect(await versionOf(1)).toEqual(left);
    await stage.drained();

    const { violations, counts } = await checkInvariants(stage);
    times.sort((a, b) => a - b);
    print("a rolling restart", {
      ...counts,
      "posts under way": times.length,
      "POST p50, p99": [0.5, 0.99].map((q) => `${quantile(times, q).toFixed(0)} ms`).join(", "),
      "tries at a process that was gone": stage.callers.counts.retries,
      "a process ended within": `${Math.max(...seconds).toFixed(1)} s`,
    });
    expect(violations).toEqual([]);
    expect(stage.deployment.faults).toEqual([]);
    // A caller behind a load balancer sees no 5xx, only another process.
    expect(stage.callers.counts.refused).toBe(0);
    expect(stage.callers.counts.unavailable).toBe(0);
    expect(counts["crash_loop"]).toBeUndefined();
  },
);

/** Starts the new one, and ends the old one when the new one is of use. @returns how long the old one took to end, in seconds. */
async function replace({ deployment, record }: Stage, old: Program): Promise<number> {
  const next = await deployment.add(old.role);
  if (old.role === "api") await until("the new API to be ready", () => isReady(next.url));
  else
    await until("the new worker to look", async () => {
      const rows = await record.query("select 1 from campaign.history where worker like $1 limit 1", [`${next.pid}-%`]);
      return rows.length > 0;
    });
  const started = performance.now();
  expect(await deployment.retire(old, "SIGTERM")).toEqual({ code: 0, signal: null });
  const seconds = (performance.now() - started) / 1000;
  expect(seconds).toBeLessThan(20);
  return seconds;
}
