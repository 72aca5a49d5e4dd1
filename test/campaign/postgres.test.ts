import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { atWork } from "./at-work.ts";
import { checkInvariants } from "./check-invariants.ts";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import { manyLooks, oneLook, type RunRequest } from "./requests.ts";
import { CAN_RUN, isReady, setStage, type Stage } from "./stage.ts";
import { print } from "./summary.ts";
import { until } from "./until.ts";

const figures: Record<string, string | number> = {};
afterAll(() => {
  if (CAN_RUN) print("Postgres", figures);
});

/** One try, without the patience of a load balancer. */
async function postOnce(url: string, { body }: RunRequest, key: string): Promise<Response> {
  return fetch(`${url}/v1/runs`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(body),
  });
}

describe.skipIf(!CAN_RUN)("Postgres", () => {
  let stage: Stage;
  let proxy: FaultProxy;

  beforeAll(async () => {
    stage = await setStage({
      databasePort: async (real) => {
        proxy = await startFaultProxy(real);
        return proxy.port;
      },
    });
  });
  afterAll(async () => {
    await stage.close();
    await proxy.close();
  });
  const api = (): string => stage.deployment.programs("api")[0]?.url ?? "";

  test("stopped hard: 503 with Retry-After at once, nobody dies of it, and the backlog is worked off when it is back", async () => {
    // A worker that is still starting may end itself without a record, and is started again.
    let starting = 0;
    await until("both workers to be at work", async () => {
      await stage.callers.start(oneLook("good", `first-${(starting += 1)}`));
      return (await atWork(stage)).length === 2;
    });
    const before = await Promise.all(
      ["a", "b", "c", "d"].map((name) => stage.callers.start(manyLooks("good", `down-${name}`))),
    );
    expect(before).not.toContain(null);
    const away = await stage.postgresAway();
    const started = performance.now();
    const refused = await postOnce(api(), oneLook("good", "refused"), "refused-1");
    figures["down: 503 after"] = `${(performance.now() - started).toFixed(0)} ms`;
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await isReady(api())).toBe(false);
    expect((await fetch(`${api()}/livez`)).status).toBe(200);
    const pids = stage.deployment.programs().map(({ pid }) => pid);
    await away.back();
    const back = performance.now();
    expect(await stage.callers.start(oneLook("good", "accepted"))).not.toBeNull();
    figures["back: accepted again after"] = `${((performance.now() - back) / 1000).toFixed(1)} s`;
    await stage.drained();
    expect(stage.deployment.programs().map(({ pid }) => pid)).toEqual(pids);
  });

  test("frozen: 503 in bounded time and no answer from memory; thawed, the same key finds one run", async () => {
    const run = await stage.callers.start(manyLooks("good", "frozen"));
    proxy.set({ kind: "blackhole" });
    const started = performance.now();
    const [posted, read] = await Promise.all([
      postOnce(api(), oneLook("good", "while-frozen"), "frozen-1"),
      fetch(`${api()}/v1/runs/${run?.id}`),
    ]);
    figures["frozen: 503 after"] = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    expect([posted.status, posted.headers.get("retry-after"), read.status]).toEqual([503, "2", 503]);
    expect(performance.now() - started).toBeLessThan(12_000);
    expect(await isReady(api())).toBe(false);
    proxy.set({ kind: "none" });
    await until("the API to be ready", () => isReady(api()));
    expect(await stage.callers.start(oneLook("good", "thawed"))).not.toBeNull();
    await stage.drained();
  });

  test("connections cut in the middle of a commit: the caller's retry with its key finds the run, or makes the only one", async () => {
    for (let n = 0; n < 20; n += 1) {
      const posting = stage.callers.start(oneLook("good", `cut-${n}`));
      proxy.set({ kind: "reset" });
      await new Promise((resolve) => setImmediate(resolve));
      proxy.set({ kind: "none" });
      expect(await posting).not.toBeNull();
    }
    await stage.drained();
  });

  test("an answer cut off on its way: the retry with its key finds the run", async () => {
    const cutter = await startFaultProxy(Number(new URL(api()).port));
    onTestFinished(() => cutter.close());
    for (const after of [0, 1, 20, 200]) {
      const request = oneLook("good", `lost-${after}`);
      cutter.set({ kind: "truncate", after });
      const cut = await postOnce(`http://127.0.0.1:${cutter.port}`, request, `lost-${after}`).then(
        async (response) => ({ whole: true, text: await response.text() }),
        () => ({ whole: false }),
      );
      expect(cut).toEqual({ whole: false });
      // The same key twice: the checker looks for runs that nobody was told of.
      const again = await postOnce(api(), request, `lost-${after}`);
      const { id } = (await again.json()) as { id: string };
      stage.callers.adopt({ id, request, key: `lost-${after}` });
    }
    await stage.drained();
  });

  test("after all of it every invariant holds", async () => {
    const { violations, counts } = await checkInvariants(stage);
    Object.assign(figures, counts);
    expect(violations).toEqual([]);
    expect(stage.deployment.faults).toEqual([]);
  });
});

describe.skipIf(!CAN_RUN)("a full disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-full-"));
  const isMounted =
    process.getuid?.() === 0 &&
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=160m,mode=0755", "tmpfs", folder], { stdio: "ignore" }).status === 0;
  afterAll(() => {
    if (isMounted) spawnSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });

  test.skipIf(!isMounted)(
    "refuses what cannot be stored, and goes on without hands when there is room again",
    async () => {
      const cluster = join(folder, "cluster");
      mkdirSync(cluster);
      const stage = await setStage({
        postgresFolder: cluster,
        postgresSettings: ["shared_buffers=16MB", "min_wal_size=32MB", "max_wal_size=32MB", "wal_recycle=off"],
      });
      onTestFinished(() => stage.close());
      const [api] = stage.deployment.programs("api");
      for (let n = 0; n < 10; n += 1) await stage.callers.start(oneLook("good", `before-${n}`));
      const filler = join(folder, "filler");
      const fill = () => {
        const { bavail, bsize } = statfsSync(folder);
        try {
          writeFileSync(filler, Buffer.alloc(bavail * bsize), { flag: "a" });
        } catch (error) {
          // Postgres took some of the room in the meantime: as full as it gets.
          if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
        }
      };
      stage.deployment.setExcused(true);
      const span = { from: Date.now(), to: Infinity };
      stage.outages.push(span);
      let refused = 0;
      for (let n = 0; refused < 5 && n < 20_000; n += 1) {
        if (n % 50 === 0 && statfsSync(folder).bavail > 0) fill();
        const request = oneLook("good", `full-${n}`);
        const response = await postOnce(api?.url ?? "", request, `full-${n}`).catch(() => null);
        const text = (await response?.text()) ?? "";
        if (response?.status === 202) {
          stage.callers.adopt({ id: (JSON.parse(text) as { id: string }).id, request, key: `full-${n}` });
          continue;
        }
        expect([response?.status, response?.headers.get("retry-after")], text).toEqual([503, "2"]);
        refused += 1;
      }
      expect(refused).toBe(5);
      expect(existsSync(filler)).toBe(true);
      rmSync(filler);
      const freed = performance.now();
      expect(await stage.callers.start(oneLook("good", "after"))).not.toBeNull();
      figures["disk full: accepted again after there was room"] =
        `${((performance.now() - freed) / 1000).toFixed(1)} s`;
      span.to = Date.now();
      await stage.drained();
      const { violations } = await checkInvariants(stage);
      expect(violations).toEqual([]);
      expect(stage.deployment.faults).toEqual([]);
    },
  );
});
