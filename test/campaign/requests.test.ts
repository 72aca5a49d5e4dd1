import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunView } from "../../src/model/run.ts";
import { checkInvariants } from "./check-invariants.ts";
import { manyLooks, oneLook } from "./requests.ts";
import { CAN_RUN, setStage, type Stage } from "./stage.ts";
import { print } from "./summary.ts";

/** Every order of the revisions of one rollout; its runs stay live for twelve seconds, which is long enough to meet. */
const REVISIONS = [1, 2, 3, 4, 5];
const AT_ONCE = 10;

describe.skipIf(!CAN_RUN)("requests that come twice, at once, or in another order", () => {
  let stage: Stage;
  const figures: Record<string, string | number> = {};
  beforeAll(async () => {
    stage = await setStage({ apis: 2, workers: 1 });
  });
  afterAll(async () => {
    await stage.close();
    print("requests", figures);
  });

  test.each([
    ["of one rollout", { rollout: { namespace: "shop", name: "twice", revision: "7" } }, {}],
    ["under one key", {}, { "idempotency-key": "the-same" }],
  ])("100 identical posts at once %s are one run", async (name, more, headers) => {
    const request = manyLooks("good", "same", more);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => stage.callers.ask("POST", "/v1/runs", request.body, headers)),
    );
    const ids = new Set(answers.map(({ text }) => RunView.parse(JSON.parse(text)).id));
    expect(ids.size).toBe(1);
    const statuses = answers.map(({ status }) => status);
    figures[`100 at once ${name}: 202, 200`] = [202, 200]
      .map((wanted) => statuses.filter((status) => status === wanted).length)
      .join(", ");
    // Of one rollout one post creates and 99 find; under one key all are the same request and get the same answer.
    expect(statuses.filter((status) => status === 202)).toHaveLength("idempotency-key" in headers ? 100 : 1);
    expect(statuses.every((status) => status === 202 || status === 200)).toBe(true);
    const key = "idempotency-key" in headers ? "the-same" : "twice";
    for (const id of ids) stage.callers.adopt({ id, request, key });
  });

  test("another body under the same key is refused, and so is another request for a live rollout", async () => {
    const other = oneLook("bad", "other").body;
    expect((await stage.callers.ask("POST", "/v1/runs", other, { "idempotency-key": "the-same" })).status).toBe(422);
    const rollout = { namespace: "shop", name: "twice", revision: "7" };
    const changed = manyLooks("good", "same", { rollout, args: {} }).body;
    expect((await stage.callers.ask("POST", "/v1/runs", changed)).status).toBe(409);
  });

  test(`in each of the ${permutations(REVISIONS).length} orders of ${REVISIONS.length} revisions the newest one is what is judged`, async () => {
    const orders = permutations(REVISIONS);
    const one = async (order: readonly number[], index: number): Promise<void> => {
      let newest = 0;
      for (const revision of order) {
        const rollout = { namespace: "shop", name: `order-${index}`, revision: String(revision) };
        const run = await stage.callers.start(manyLooks("good", `r${revision}`, { rollout }));
        // An older revision than the live one is refused, and everything else is accepted.
        expect([order, revision, run !== null]).toEqual([order, revision, revision > newest]);
        newest = Math.max(newest, revision);
      }
    };
    for (let from = 0; from < orders.length; from += AT_ONCE)
      await Promise.all(orders.slice(from, from + AT_ONCE).map((order, n) => one(order, from + n)));
    const rows = await stage.record.query<{ revision: string; runs: number }>(
      `select revision, count(*)::int as runs from touchstone.runs where rollout_name like 'order-%' and error_code is distinct from 'superseded' group by revision`,
    );
    expect(rows).toEqual([{ revision: "5", runs: orders.length }]);
  });

  test("after all of it every invariant holds", async () => {
    await stage.drained(300);
    const { violations, counts } = await checkInvariants(stage);
    Object.assign(figures, counts);
    expect(violations).toEqual([]);
    expect(stage.deployment.faults).toEqual([]);
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
