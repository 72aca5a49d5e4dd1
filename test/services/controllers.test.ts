import { describe, expect, inject, onTestFinished, test } from "vitest";
import { setStage } from "../controllers/stage.ts";
import { startPostgres } from "./servers.ts";

/** Rollout controllers that ask while the record is away: nothing that is not stored is told, and what is stored comes back. */

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

    const again = await startPostgres({ folder: postgres.folder, port: Number(new URL(postgres.url).port) });
    onTestFinished(() => again.halt("SIGQUIT"));
    await expect.poll(async () => (await poll("step")).status, { timeout: 30_000 }).toBe(200);
    expect((await poll("step")).text).toBe(before.text);
    expect((await call("rollback")).status).toBe(200);
    expect((await query(verdict)).body.data.result[0].value[1]).toBe("-1");
  }, 120_000);
});
