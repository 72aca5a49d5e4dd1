import { describe, expect, inject, onTestFinished, test } from "vitest";
import { setStage } from "../controllers/stage.ts";
import { startPostgres, startRedis } from "./servers.ts";

/** Rollout controllers that ask while the record is away: nothing that is not stored is told, and what is stored comes back. */

/** As Argo Rollouts' kayenta provider and Orca ask. */
const CANARY = {
  scopes: {
    default: {
      controlScope: { scope: "v1", location: "default", step: 60 },
      experimentScope: { scope: "v2", location: "default", step: 60 },
    },
  },
  thresholds: { pass: 90, marginal: 50 },
};
const ACCOUNTS = "metricsAccountName=live&configurationAccountName=default&storageAccountName=default";

const ROLES = ["start", "rollback", "advance", "promote", "finish", "event"];

describe.skipIf(inject("postgresUrl") === null)("the record goes away while controllers ask", () => {
  test("every answer is a fault of ours until it is back, and then the same as before", async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const stage = await setStage({ DATABASE_URL: postgres.url });
    onTestFinished(() => stage.stop());
    const asked = {
      analysis: "live",
      namespace: "prod",
      service: "agent",
      baseline: "v1",
      candidate: "v2",
      revision: "1",
    };
    const poll = (mode: string) => stage.ask("POST", "/v1/argo/verdict", { ...asked, mode });
    const hook = {
      name: "shop",
      namespace: "prod",
      phase: "Failed",
      checksum: "abc",
      metadata: {
        analysis: "live",
        baseline: "v1",
        candidate: "v2",
        eventMessage: "Advance shop.prod canary weight 10",
      },
    };
    const call = (role: string) => stage.ask("POST", `/v1/flagger/${role}`, hook);
    const query = (text: string) => stage.ask("GET", `/flagger/api/v1/query?query=${encodeURIComponent(text)}`);
    const verdict = 'touchstone_verdict{namespace="prod",name="shop",analysis="live"}';

    const canary = await stage.ask("POST", `/kayenta/canary/live?application=shop&${ACCOUNTS}`, CANARY);
    expect(canary.status, canary.text).toBe(200);
    const execution: string = canary.body.canaryExecutionId;
    const readCanary = () => stage.ask("GET", `/kayenta/canary/${execution}`);
    await stage.until(execution, ({ status }) => status === "done");
    const canaryBefore = await readCanary();
    expect(canaryBefore.body).toMatchObject({ complete: true, status: "succeeded" });

    await poll("step");
    const watched = await call("start");
    expect(watched.status, watched.text).toBe(200);
    const id = /run_[0-9a-f]+/.exec(watched.text)?.[0] ?? "";
    await stage.until(id, ({ status }) => status === "done");
    await expect.poll(async () => (await poll("step")).status, { timeout: 30_000 }).toBe(200);
    const before = await poll("step");
    expect(before.body.verdict).toBe("rollback");
    expect((await call("rollback")).status).toBe(200);

    await postgres.halt("SIGQUIT");
    for (const mode of ["step", "background"]) {
      const answer = await poll(mode);
      expect(answer).toMatchObject({ status: 503, body: { code: "store_unavailable" } });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    // Flagger asks again after a 5xx by itself, and after nothing else.
    for (const role of ROLES) expect((await call(role)).status, role).toBe(503);
    for (const text of [verdict, "vector(1)"])
      expect(await query(text)).toMatchObject({ status: 503, body: { status: "error", errorType: "unavailable" } });
    // Orca asks again after a 5xx; Argo counts one as an error of its measurement, of which four are borne.
    for (const [method, path, body] of [
      ["GET", "/canaryConfig?application=shop", undefined],
      ["POST", "/canaryConfig", { name: "new", applications: ["shop"], metrics: [], classifier: {} }],
      ["GET", "/canaryConfig/live", undefined],
      ["POST", `/canary/live?application=shop&${ACCOUNTS}`, CANARY],
      ["GET", `/canary/${execution}`, undefined],
      ["GET", "/canary/executions?application=shop", undefined],
      ["PUT", `/pipelines/${execution}/cancel`, undefined],
      ["GET", `/standalone_canary_analysis/${execution}`, undefined],
    ] as const) {
      const answer = await stage.ask(method, `/kayenta${path}`, body);
      expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(503);
      expect(answer.body.message, path).toBeTypeOf("string");
    }

    const again = await startPostgres({ folder: postgres.folder, port: Number(new URL(postgres.url).port) });
    onTestFinished(() => again.halt("SIGQUIT"));
    await expect.poll(async () => (await poll("step")).status, { timeout: 30_000 }).toBe(200);
    expect((await poll("step")).text).toBe(before.text);
    expect((await readCanary()).text).toBe(canaryBefore.text);
    expect((await call("rollback")).status).toBe(200);
    expect((await query(verdict)).body.data.result[0].value[1]).toBe("-1");
  }, 120_000);
});

describe.skipIf(inject("postgresUrl") === null || inject("redisUrl") === null)("Redis goes away", () => {
  test("no controller notices: what is asked is answered, and what is started is judged", async () => {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    onTestFinished(async () => {
      await Promise.all([postgres.stop(), redis.stop()]);
    });
    const stage = await setStage({ DATABASE_URL: postgres.url, REDIS_URL: redis.url });
    onTestFinished(() => stage.stop());
    await redis.halt("SIGKILL");

    const canary = await stage.ask("POST", `/kayenta/canary/live?application=shop&${ACCOUNTS}`, CANARY);
    expect(canary.status, canary.text).toBe(200);
    const asked = { analysis: "live", namespace: "prod", service: "agent", baseline: "v1", candidate: "v2" };
    const poll = () => stage.ask("POST", "/v1/argo/verdict", { ...asked, revision: "1", mode: "step" });
    expect((await poll()).status).toBe(425);
    const hook = {
      name: "shop",
      namespace: "prod",
      phase: "Progressing",
      checksum: "abc",
      metadata: { analysis: "live", baseline: "v1", candidate: "v2" },
    };
    const call = (role: string) => stage.ask("POST", `/v1/flagger/${role}`, hook);
    expect((await call("start")).status).toBe(200);

    await expect.poll(async () => (await poll()).body.verdict, { timeout: 30_000 }).toBe("rollback");
    await expect.poll(async () => (await call("rollback")).status, { timeout: 30_000 }).toBe(200);
    expect((await call("promote")).status).toBe(409);
    await stage.until(canary.body.canaryExecutionId, ({ status }) => status === "done");
    const { body } = await stage.ask("GET", `/kayenta/canary/${canary.body.canaryExecutionId}`);
    expect(body).toMatchObject({ complete: true, result: { judgeResult: { score: { classification: "Fail" } } } });
    expect((await stage.ask("GET", "/readyz")).body).toMatchObject({ status: "ok", degraded: true });
  }, 120_000);
});
