import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { writeManifest } from "../../cli/doctor.ts";
import { readFile } from "node:fs/promises";
import { listen, sendJson } from "../../sources/http-server.ts";
import type { ServerResponse } from "node:http";
import { ARGO_STATE, deployed, HOOK_ANSWER, QUERY_ANSWER, startDriver, type Driver } from "./driver.ts";

/** What docs/controllers/versions.md says of the controllers, shown by their own code. */

const controllers = inject("controllers");
type Respond = (response: ServerResponse) => void;
const send =
  (text: string, status = 200): Respond =>
  (response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(text);

describe.skipIf(controllers === null)("traps of the controllers", () => {
  let driver: Driver;
  beforeAll(() => {
    driver = startDriver(controllers?.program ?? "");
  });
  afterAll(() => driver.close());

  const ARGS = {
    service: "agent",
    namespace: "prod",
    "baseline-hash": "a",
    "candidate-hash": "b",
    revision: "1",
    "judge-token": "t",
  };

  /** The first measurement of a template that is sent to a server which answers so. */
  async function measure(name: string, respond: Respond, change: (text: string) => string = (text) => text) {
    const { url } = await listen((_, response) => respond(response));
    const host = url.replace("http://", "");
    const file = await writeManifest(change(await readFile(deployed(`argo/${name}.yaml`), "utf8")));
    const { run } = await driver.ask(ARGO_STATE, {
      op: "argo.start",
      file,
      args: { ...ARGS, ...(name.endsWith("kayenta") ? { "judge-host": host } : { "judge-url": url }) },
    });
    return driver.ask(ARGO_STATE, { op: "argo.measure", run });
  }

  test.each([
    ["empty", ""],
    ["a login page", "<html>Sign in</html>"],
    ["JSON and more", '{"summary":"rollback: …"} x'],
  ])("Argo takes a 200 that is %s for success", async (_, text) => {
    expect(await measure("analysis-template-step", send(text))).toMatchObject({ phase: "Successful" });
  });

  test("Argo takes a 204 for success", async () => {
    expect(await measure("analysis-template-step", send("", 204))).toMatchObject({ phase: "Successful" });
  });

  test("a body of null crashes Argo under {$}, and is an error under the path that we ship", async () => {
    const whole = (text: string) => text.replace("{$.summary}", "{$}");
    await expect(measure("analysis-template-step", send("null"), whole)).rejects.toThrow(/^panic: /);
    expect(await measure("analysis-template-step", send("null"))).toMatchObject({
      measurement: "Error",
      phase: "Running",
    });
  });

  test("Argo's Kayenta provider crashes where lookback has no initial delay", async () => {
    const respond: Respond = (response) => sendJson(response, [{ id: "1", name: "support-agent" }]);
    const hasty = (text: string) => text.replace(/ *initialDelay: .*\n/, "");
    await expect(measure("analysis-template-kayenta", respond, hasty)).rejects.toThrow(/^panic: /);
  });

  test.each(["", "<html>Sign in</html>", "null", "[]"])(
    "Argo's Kayenta provider takes %j for nothing but an error",
    async (text) => {
      expect(await measure("analysis-template-kayenta", send(text))).toMatchObject({
        measurement: "Error",
        phase: "Running",
      });
    },
  );

  test("Argo takes a pause for success where count meets inconclusiveLimit", async () => {
    const pause = send('{"summary":"pause: too few units"}');
    expect(await measure("analysis-template-step", pause)).toMatchObject({ phase: "Inconclusive" });
    const lenient = (text: string) => text.replace("count: 1 ", "count: 1\n    inconclusiveLimit: 1 ");
    expect(await measure("analysis-template-step", pause, lenient)).toMatchObject({
      measurement: "Inconclusive",
      phase: "Successful",
    });
  });

  test.each([
    [200, null],
    [201, null],
    [202, null],
    [203, "why"],
    [204, ""],
    [409, "why"],
    [501, "why"],
    [429, expect.stringContaining("giving up after 1 attempt(s)")],
    [500, expect.stringContaining("giving up after 1 attempt(s)")],
    [503, expect.stringContaining("giving up after 1 attempt(s)")],
  ])("Flagger reads %i of a hook as %j", async (status, error) => {
    const { url, asked } = await listen((_, response) => send(status === 204 ? "" : "why", status)(response));
    const replace = { "http://touchstone.touchstone.svc:8080": url };
    const hook = {
      op: "flagger.hook",
      file: deployed("flagger/canary.yaml"),
      replace,
      phase: "Progressing",
      hook: "rollback",
    };
    expect(await driver.ask(HOOK_ANSWER, hook)).toEqual({ error });
    expect(asked[0]?.path).toBe("/v1/flagger/rollback");
  });

  test.each([
    ["1", 1, null],
    [1, null, expect.stringContaining("no values found")],
    ["NaN", null, expect.stringContaining("no values found")],
  ])("Flagger reads %j of a metric as %j", async (value, number, error) => {
    const answer = { status: "success", data: { resultType: "vector", result: [{ metric: {}, value: [1, value] }] } };
    const { url, asked } = await listen((_, response) => sendJson(response, answer));
    const query = {
      op: "flagger.query",
      file: deployed("flagger/canary-metric.yaml"),
      replace: { "http://touchstone.touchstone.svc:8080": url },
      secrets: { token: "t" },
    };
    expect(await driver.ask(QUERY_ANSWER, query)).toMatchObject({ value: number, error, online: number === 1 });
    expect(new URL(asked[1]?.path ?? "", url).searchParams.get("query")?.trim()).toBe(
      'touchstone_verdict{namespace="prod",name="support-agent",target="support-agent",analysis="support-agent",window="1m"}',
    );
    expect(asked[1]?.headers.authorization).toBe("Bearer t");
  });
});
