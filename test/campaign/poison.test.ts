import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { MOST_CLAIMS, SUSPECT_CLAIMS } from "../../src/store/work.ts";
import { checkInvariants } from "./check-invariants.ts";
import { CANDIDATE_KINDS, oddLook, oneLook } from "./requests.ts";
import { CAN_RUN, setStage } from "./stage.ts";
import { print } from "./summary.ts";
import { claimsIn } from "./timeline.ts";
import { until } from "./until.ts";

test.skipIf(!CAN_RUN)(
  "a run that kills whoever looks at it ends as a crash loop after three, one that takes whole workers down after ten, and the others go on",
  async () => {
    const stage = await setStage({
      env: { TOUCHSTONE_CONCURRENCY: "1" },
      // The look itself is what ends its process: the source is asked, and whoever asks dies, or its worker whoever asks.
      async onPoison(label, port, { record, deployment }) {
        const [owner] = await record.query<{ leased_by: string | null }>(
          "select leased_by from touchstone.runs where candidate_label = $1 and lease_until > now()",
          [label],
        );
        const program = deployment
          .programs("worker")
          .find(({ pid }) => pid === Number(owner?.leased_by?.split("-")[0]));
        if (program === undefined) return;
        // A question that was on its way when its asker was killed has nobody left.
        const child = childOf(program.pid);
        const asker = [program.pid, child].find((pid) => pid !== null && hasConnection(pid, port)) ?? null;
        if (asker === null) return;
        if (asker === child && label === "poison-alone") return void process.kill(child, "SIGKILL");
        deployment.kill(program);
        // From the fifth claim on each waits twice as long as the one before, thirteen minutes in all: here no longer than the first.
        await record.query(
          "update touchstone.runs set lease_until = now() + interval '6 seconds' where candidate_label = $1 and lease_until > now() + interval '6 seconds'",
          [label],
        );
      },
    });
    onTestFinished(() => stage.close());
    const started = Date.now();
    const poison = await stage.callers.start(oddLook("poison-alone"));
    const plague = await stage.callers.start(oddLook("poison-all"));
    for (let n = 0; n < 40; n += 1) {
      const kind = CANDIDATE_KINDS[n % CANDIDATE_KINDS.length] ?? "good";
      await stage.callers.start(oneLook(kind, `beside-${n}`));
    }
    let others = 0;
    await until("the others to be judged", async () => (await stage.record.live()) <= 2);
    others = Date.now() - started;
    await stage.drained();

    const claims = claimsIn(await stage.record.history());
    for (const [run, most] of [
      [poison, SUSPECT_CLAIMS],
      [plague, MOST_CLAIMS],
    ] as const) {
      const { status, verdict, error } = await stage.callers.read(run?.id ?? "");
      expect({ status, verdict, code: error?.code }).toEqual({ status: "failed", verdict: null, code: "crash_loop" });
      expect(claims.filter((claim) => claim.run === run?.id)).toHaveLength(most);
    }
    const { violations, counts } = await checkInvariants(stage);
    print("two poisonous runs beside 40 others", {
      ...counts,
      "others judged": `${(others / 1000).toFixed(1)} s`,
      "both ended": `${((Date.now() - started) / 1000).toFixed(1)} s`,
    });
    expect(violations).toEqual([]);
    expect(counts["verdicts"]).toBe(40);
    expect(stage.deployment.faults).toEqual([]);
  },
);

/** Whether a process has the connection of loopback whose own port this is. */
function hasConnection(pid: number, port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const fields = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[1] === local);
  const socket = `socket:[${fields?.[9]}]`;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === socket);
  } catch (error) {
    // It, or the file that was listed, is gone.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** The process that a worker has for one look; null while it looks in its threads. */
function childOf(pid: number): number | null {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return child === undefined || child === "" ? null : Number(child);
}

test.skipIf(!CAN_RUN)("a look that uses up its memory ends as a crash loop, and the others are judged", async () => {
  const stage = await setStage({
    workers: 1,
    env: { TOUCHSTONE_CONCURRENCY: "1", NODE_OPTIONS: "--max-old-space-size=72" },
  });
  onTestFinished(() => stage.close());
  const greedy = await stage.callers.start(oddLook("huge-1"));
  for (const kind of CANDIDATE_KINDS) await stage.callers.start(oneLook(kind, "beside"));
  await stage.drained();
  expect(await stage.callers.read(greedy?.id ?? "")).toMatchObject({
    status: "failed",
    error: { code: "crash_loop" },
  });
  // Mostly its thread dies alone; now and then the whole process does.
  print("a look that uses up its memory", { "processes that died with it": stage.deployment.faults.length });
  const kinds = await stage.record.query("select count(*)::int as done from touchstone.runs where status = 'done'");
  expect(kinds).toEqual([{ done: CANDIDATE_KINDS.length }]);
});
