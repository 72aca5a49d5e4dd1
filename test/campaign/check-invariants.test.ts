import { expect, onTestFinished, test } from "vitest";
import { checkInvariants } from "./check-invariants.ts";
import { CANDIDATE_KINDS, oneLook } from "./requests.ts";
import { CAN_RUN, setStage } from "./stage.ts";

test.skipIf(!CAN_RUN)(
  "the checker finds nothing in a sound record, and names each promise that somebody breaks in it",
  async () => {
    const stage = await setStage({ workers: 1 });
    onTestFinished(() => stage.close());
    const ids: string[] = [];
    for (const name of ["gone", "changed", "later", "reread", "copied"]) {
      const run = await stage.callers.start(oneLook("good", name));
      if (run !== null) ids.push(run.id);
    }
    for (const kind of CANDIDATE_KINDS) await stage.callers.start(oneLook(kind, "sound"));
    await stage.drained();
    expect((await checkInvariants(stage)).violations).toEqual([]);

    const [gone, changed, later, reread, copied] = ids;
    const { record } = stage;
    await record.query("alter table touchstone.runs disable trigger runs_terminal_is_final");
    await record.query("alter table touchstone.audit disable trigger audit_is_append_only");
    await record.query("delete from touchstone.runs where id = $1", [gone]);
    await record.query("update touchstone.runs set verdict = 'rollback' where id = $1", [changed]);
    await record.query("update touchstone.runs set epoch = epoch + 1 where id = $1", [later]);
    await record.query("update touchstone.runs set summary = 'promote: believe me' where id = $1", [reread]);
    await record.query(
      `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, due_at, status, error_code)
     select 'run_unknown', project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, due_at, 'failed', 'internal' from touchstone.runs where id = $1`,
      [copied],
    );
    await record.query("update touchstone.audit set actor = 'somebody' where seq = 2");

    const { violations } = await checkInvariants(stage);
    for (const promise of [
      `I1: run ${gone} was accepted and is gone`,
      `I3: run ${changed} should be promote and is promote: all 2 metrics are safe`,
      `I3: the report of run ${changed} is of ${changed}, promote`,
      `I2: run ${later} ended as done and changed 1 times after that`,
      `I2: run ${reread} had ended and reads differently now`,
      "I7: run run_unknown exists and nobody was told of it",
      "I10: record 2 of the audit log was changed",
    ])
      expect(
        violations.some((violation) => violation.startsWith(promise)),
        `${promise}\n${violations.join("\n")}`,
      ).toBe(true);
  },
);
