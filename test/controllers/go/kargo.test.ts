import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { startStreet, type Street } from "../../street.ts";
import { deployed, startDriver, type Driver } from "./driver.ts";

/** The expressions of deploy/kargo/http-step.yaml, in Kargo's language, over what a running server answers. */

const controllers = inject("controllers");
const AGENT = fileURLToPath(new URL("../../../fixtures/agent", import.meta.url));
const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };
const Steps = z.object({
  steps: z.array(
    z.object({ config: z.object({ successExpression: z.string(), failureExpression: z.string().optional() }) }),
  ),
});

describe.skipIf(controllers === null)("Kargo", () => {
  let driver: Driver;
  let street: Street;
  let expressions: z.infer<typeof Steps>["steps"];
  beforeAll(async () => {
    driver = startDriver(controllers?.program ?? "");
    street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`);
    expressions = Steps.parse(parse(await readFile(deployed("kargo/http-step.yaml"), "utf8"))).steps;
  });
  afterAll(async () => {
    await driver.close();
    await street.stop();
  });

  const evaluate = (expression: string, { status, body }: { status: number; body: unknown }): Promise<boolean> =>
    driver.ask(z.boolean(), { op: "kargo.evaluate", expression, response: { status, body } });

  test.each([
    ["v4", "promote", [true, false]],
    ["v2", "rollback", [false, true]],
    ["absent", "pause", [false, true]],
  ] as const)("%s ends in %s, and the step with it", async (candidate, verdict, outcome) => {
    const started = await street.ask("POST", "/v1/runs", {
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: candidate },
      window: WINDOW,
    });
    const [judge, ask] = expressions.map(({ config }) => config);
    expect(await evaluate(judge?.successExpression ?? "", started)).toBe(true);
    expect(await evaluate(ask?.successExpression ?? "", started)).toBe(false);
    const ended = await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`);
    expect(ended.body.effectiveVerdict).toBe(verdict);
    const said = [ask?.successExpression, ask?.failureExpression].map((expression) =>
      evaluate(expression ?? "", ended),
    );
    expect(await Promise.all(said)).toEqual(outcome);
  });

  test("a run that has not ended, and a server that is busy, are asked again", async () => {
    const ask = expressions[1]?.config;
    for (const response of [
      { status: 200, body: { status: "running", effectiveVerdict: null } },
      { status: 200, body: { status: "queued", effectiveVerdict: null } },
      { status: 503, body: { code: "store_unavailable" } },
    ])
      for (const expression of [ask?.successExpression, ask?.failureExpression])
        expect(await evaluate(expression ?? "", response)).toBe(false);
  });
});
