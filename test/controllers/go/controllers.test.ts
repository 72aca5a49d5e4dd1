import { connect, createServer, type AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { z } from "zod";
import { setStage, TOKEN, type Stage } from "../stage.ts";
import { ARGO_STATE, deployed, HOOK_ANSWER, QUERY_ANSWER, startDriver, type Driver } from "./driver.ts";

/** The controllers' own code against a running Touchstone, with the manifests that we ship. v2 and bad are worse, v4 and shop are fine, v9 and gone have no data. */

const controllers = inject("controllers");
type State = z.infer<typeof ARGO_STATE>;
const EVENTUALLY = { timeout: 60_000, interval: 200 };
const SERVICE = "http://touchstone.touchstone.svc:8080";

describe.skipIf(controllers === null)("the controllers", () => {
  let driver: Driver;
  let stage: Stage;
  /** One address, whichever process is behind it; nobody while there is none. */
  let address: string;
  beforeAll(async () => {
    driver = startDriver(controllers?.program ?? "");
    stage = await setStage();
    const front = createServer((socket) => {
      const behind = connect(Number(new URL(stage.url).port), "127.0.0.1");
      socket.pipe(behind).pipe(socket);
      for (const end of [socket, behind]) end.on("error", () => (socket.destroy(), behind.destroy()));
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    address = `127.0.0.1:${(front.address() as AddressInfo).port}`;
    closeFront = () => new Promise<void>((resolve) => void front.close(() => resolve()));
  });
  let closeFront: () => Promise<void>;
  afterEach(() => stage.cancelLive());
  afterAll(async () => {
    await driver.close();
    await stage.stop();
    await closeFront();
  });

  let services = 0;
  async function start(
    name: string,
    analysis: string,
    candidate: string,
    args: Record<string, string> = {},
  ): Promise<State> {
    return driver.ask(ARGO_STATE, {
      op: "argo.start",
      file: deployed(`argo/analysis-template-${name}.yaml`),
      secrets: { "touchstone/token": name === "kayenta" ? encodeURIComponent(TOKEN) : TOKEN },
      args: {
        ...(name === "kayenta" ? { "judge-host": address } : { "judge-url": `http://${address}`, revision: "7" }),
        analysis,
        service: `shop-${(services += 1)}`,
        namespace: "prod",
        "baseline-hash": "v1",
        "candidate-hash": candidate,
        ...args,
      },
    });
  }
  const measure = ({ run }: State): Promise<State> => driver.ask(ARGO_STATE, { op: "argo.measure", run });

  /** Measures until Argo is done, without its waits. */
  async function finish(started: State): Promise<State> {
    let last = started;
    await expect.poll(async () => (last = await measure(last)).phase, EVENTUALLY).not.toBe("Running");
    return last;
  }

  const VERDICTS = [
    ["v4", "Successful"],
    ["v2", "Failed"],
    ["v9", "Inconclusive"],
  ] as const;

  test.each(VERDICTS)("Argo's web step: %s is %s", async (candidate, phase) => {
    const state = await finish(await start("step", "short", candidate));
    expect(state.phase).toBe(phase);
    expect(state.value).toMatch(
      phase === "Successful" ? /^"?promote: / : phase === "Failed" ? /^"?rollback: / : /^"?pause: /,
    );
  });

  test("Argo's web step: a run without a verdict is an error that Argo forgives, each 10 s", async () => {
    const state = await measure(await start("step", "patient", "v3"));
    expect(state).toMatchObject({ measurement: "Error", phase: "Running", errors: 1, waitSeconds: 10 });
    expect(state.message).toContain("425");
  });

  test("Argo's web step: what must be mended pauses, and says what", async () => {
    const state = await measure(await start("step", "elsewhere", "v4"));
    expect(state).toMatchObject({ phase: "Inconclusive", value: expect.stringMatching(/^"?error: .*nowhere/) });
  });

  test("Argo's web step: a wrong token is an error", async () => {
    const state = await measure(await start("step", "short", "v4", { "judge-token": "another" }));
    expect(state).toMatchObject({ measurement: "Error", message: expect.stringContaining("401") });
  });

  test("Argo's web step: a restart in the middle changes no verdict", async () => {
    const begun = await measure(await start("step", "short", "v2"));
    expect(begun.measurement).toBe("Error");
    await stage.restart(async () => {
      expect(await measure(begun)).toMatchObject({ measurement: "Error", phase: "Running" });
    });
    expect(await finish(begun)).toMatchObject({ phase: "Failed" });
  });

  test("Argo's web guard goes on with what is well, over a restart, and never ends in promote", async () => {
    const guard = await start("background", "live", "v4");
    for (let n = 1; n <= 3; n += 1)
      expect(await measure(guard)).toMatchObject({
        phase: "Running",
        waitSeconds: 60,
        value: expect.stringMatching(/^"?continue: /),
      });
    await stage.restart(async () => {
      expect(await measure(guard)).toMatchObject({ measurement: "Error", phase: "Running", waitSeconds: 10 });
    });
    expect(await measure(guard)).toMatchObject({ measurement: "Successful", phase: "Running" });
  });

  test("Argo's web guard stops what is worse, and goes on without data", async () => {
    expect(await finish(await start("background", "live", "v2"))).toMatchObject({
      phase: "Failed",
      value: expect.stringMatching(/^"?rollback: /),
    });
    expect(await measure(await start("background", "live", "v9"))).toMatchObject({
      measurement: "Successful",
      phase: "Running",
    });
  });

  test.each(VERDICTS)("Argo's Kayenta provider: %s is %s", async (candidate, phase) => {
    const state = await finish(await start("kayenta", "short", candidate));
    expect(state).toMatchObject({ phase, errors: 0 });
    const score = Number(state.value);
    expect([score >= 90, score < 50]).toEqual([phase === "Successful", phase === "Failed"]);
  });

  test("Argo's Kayenta provider: a run without a verdict is running, without an error, over a restart", async () => {
    const begun = await measure(await start("kayenta", "patient", "v3"));
    expect(begun).toMatchObject({ measurement: "Running", phase: "Running", errors: 0 });
    expect(begun.waitSeconds).toBeGreaterThan(10);
    await stage.restart();
    expect(await measure(begun)).toMatchObject({ measurement: "Running", errors: 0 });
  });

  /** Hooks of a canary that we ship, under another name and analysis. */
  const canary = (name: string, checksum = name) => {
    const of = (file: string) => ({
      file: deployed(`flagger/${file}.yaml`),
      appliedSpec: checksum,
      replace: {
        [SERVICE]: `http://${address}${file === "canary" ? `/t/${encodeURIComponent(TOKEN)}` : ""}`,
        "name: support-agent": `name: ${name}`,
        "analysis: support-agent": "analysis: live",
      },
    });
    const hook = async (type: string, phase = "Progressing") =>
      (await driver.ask(HOOK_ANSWER, { op: "flagger.hook", ...of("canary"), hook: type, phase })).error;
    return {
      start: () => hook("pre-rollout"),
      rollback: () => hook("rollback"),
      advance: () => hook("confirm-traffic-increase"),
      promote: () => hook("confirm-promotion"),
      finish: (phase: string) => hook("post-rollout", phase),
      event: async (message: string) =>
        (await driver.ask(HOOK_ANSWER, { op: "flagger.event", ...of("canary"), phase: "Progressing", message })).error,
      metric: () =>
        driver.ask(QUERY_ANSWER, { op: "flagger.query", ...of("canary-metric"), secrets: { token: TOKEN } }),
    };
  };

  test("Flagger's hooks: a good canary advances, waits, is promoted and ends", async () => {
    const { start: begin, rollback, advance, promote, finish: end, event } = canary("shop");
    expect(await begin()).toBeNull();
    expect(await rollback()).toMatch(/\w/);
    expect(await advance()).toBeNull();
    expect(await event("Advance shop.prod canary weight 10")).toBeNull();
    await expect.poll(advance, EVENTUALLY).toBeNull();
    await expect.poll(promote, EVENTUALLY).toBeNull();
    expect(await rollback()).toMatch(/\w/);
    expect(await end("Succeeded")).toBeNull();
  });

  test("Flagger's hooks: a bad canary is rolled back, and neither advances nor is promoted", async () => {
    const { start: begin, rollback, advance, promote, finish: end } = canary("bad");
    expect(await begin()).toBeNull();
    expect(await advance()).toBeNull();
    await expect.poll(rollback, EVENTUALLY).toBeNull();
    expect(await advance()).toMatch(/rollback|worse/);
    expect(await promote()).toMatch(/rollback|worse/);
    expect(await end("Failed")).toBeNull();
  });

  test("Flagger's hooks: without data a canary rests where it is", async () => {
    const { start: begin, rollback, advance, promote } = canary("gone");
    expect(await begin()).toBeNull();
    expect(await advance()).toBeNull();
    for (const hook of [rollback, advance, promote]) expect(await hook()).toMatch(/\w/);
  });

  test("Flagger's hooks: while Touchstone is away every answer is no, and afterwards the same as before", async () => {
    const { start: begin, rollback, advance, promote } = canary("bad", "again");
    expect(await begin()).toBeNull();
    await expect.poll(rollback, EVENTUALLY).toBeNull();
    await stage.restart(async () => {
      for (const hook of [rollback, advance, promote]) expect(await hook()).toMatch(/\w/);
    });
    expect(await rollback()).toBeNull();
    expect(await advance()).toMatch(/\w/);
  });

  test.each([
    ["shop", 1],
    ["bad", -1],
  ])("Flagger's Prometheus provider: %s comes to %i", async (name, value) => {
    const { start: begin, metric, finish: end } = canary(name, "metric");
    expect(await begin()).toBeNull();
    expect(await metric()).toMatchObject({ online: true, onlineError: null });
    await expect.poll(async () => (await metric()).value, EVENTUALLY).toBe(value);
    expect(await end(value === 1 ? "Succeeded" : "Failed")).toBeNull();
  });

  test("Flagger's Prometheus provider: an outage is an error, which counts as a failed check", async () => {
    const { start: begin, metric } = canary("shop", "outage");
    expect(await begin()).toBeNull();
    await stage.restart(async () => {
      expect(await metric()).toMatchObject({ online: false, value: null, error: expect.stringMatching(/\w/) });
    });
    expect(await metric()).toMatchObject({ online: true });
  });
});
