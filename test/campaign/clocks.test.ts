import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findProgram } from "../services/servers.ts";
import { checkInvariants } from "./check-invariants.ts";
import { CANDIDATE_KINDS, manyLooks, oneLook } from "./requests.ts";
import { CAN_RUN, setStage } from "./stage.ts";
import { print } from "./summary.ts";
import { until } from "./until.ts";

/** What `faketime` preloads; its command forks, and then the process id would be another one's. */
const LIBRARY = findLibrary();

function findLibrary(): string | null {
  if (findProgram("faketime") === null) return null;
  const folders = readdirSync("/usr/lib").map((name) => join("/usr/lib", name, "faketime"));
  return folders.map((folder) => join(folder, "libfaketime.so.1")).find((path) => existsSync(path)) ?? null;
}

const skewed = (offset: string): Record<string, string> => ({
  LD_PRELOAD: LIBRARY ?? "",
  FAKETIME: offset,
  // Timers go on as they should: the clock on the wall is wrong, not the length of a second.
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
  DONT_FAKE_MONOTONIC: "1",
});

test.skipIf(!CAN_RUN || LIBRARY === null)(
  "workers two hours ahead and two hours behind: only the clock of the record decides when a run looks",
  async () => {
    const stage = await setStage({ apis: 1, workers: 0 });
    onTestFinished(() => stage.close());
    const ahead = await stage.deployment.add("worker", skewed("+2h"));
    const behind = await stage.deployment.add("worker", skewed("-2h"));
    await stage.deployment.add("api", skewed("+2h"));
    await stage.deployment.add("api", skewed("-2h"));
    for (const kind of CANDIDATE_KINDS)
      for (let n = 0; n < 4; n += 1) {
        await stage.callers.start(oneLook(kind, `skew-${n}`));
        await stage.callers.start(manyLooks(kind, `skew-${n}`));
      }
    await until("both workers to look", async () => {
      const looks = await stage.record.query<{ pid: string }>(
        "select distinct split_part(worker, '-', 1) as pid from campaign.history where worker is not null",
      );
      return [ahead, behind].every(({ pid }) => looks.some((look) => Number(look.pid) === pid));
    });
    await stage.drained();

    // Look n of a run with many looks is due n seconds after the start of its window, by the clock of the record.
    const early = await stage.record.query(
      `select l.run_id, l.n, l.at from touchstone.looks l join touchstone.runs r on r.id = l.run_id
       where r.snapshot::json -> 'analysis' -> 'plan' ->> 'mode' = 'scheduled'
         and l.at < (r.snapshot::json -> 'window' ->> 'start')::timestamptz + make_interval(secs => l.n)`,
    );
    expect(early).toEqual([]);
    for (const { id } of stage.callers.accepted.values()) {
      const { createdAt } = await stage.callers.read(id);
      expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(3_600_000);
    }
    expect(ahead.log()).toMatch(/"verdict"/);
    const { violations, counts } = await checkInvariants(stage);
    print("clocks off by two hours", counts);
    expect(violations).toEqual([]);
    expect(stage.deployment.faults).toEqual([]);
  },
);
