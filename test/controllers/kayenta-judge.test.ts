import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CanaryJudgeResult } from "../../src/model/canary.ts";
import { draw, lognormal } from "../judge/samples.ts";
import { startStreet, type Street } from "../street.ts";

const minutes = (seed: number, median: number, n = 60) => draw(seed, n, lognormal(median, 0.05));

const requestOf = (experiment: readonly unknown[], judge?: string) => ({
  canaryConfig: {
    name: "checkout",
    applications: ["shop"],
    judge: { name: judge ?? "RemoteJudge-v1.0" },
    metrics: [{ name: "latency", groups: ["Latency"], scopeName: "default", analysisConfigurations: { canary: {} } }],
    classifier: { groupWeights: { Latency: 100 } },
  },
  scoreThresholds: { pass: 95, marginal: 75 },
  metricSetPairList: [{ name: "latency", id: "x", tags: {}, values: { control: minutes(2, 10), experiment } }],
});

describe("POST /judge", () => {
  let street: Street;
  beforeAll(async () => {
    street = await startStreet("sources: []\n", { TOUCHSTONE_TOKEN: "a-token-of-some-length" });
  });
  afterAll(() => street.stop());

  const ask = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    street.ask("POST", "/judge", body, { authorization: "Bearer a-token-of-some-length", ...headers });

  test("answers 200 with Kayenta's result, by the judge that the config names", async () => {
    for (const [judge, name] of [
      [undefined, "Touchstone-v1.0"],
      ["NetflixACAJudge-v1.0", "NetflixACAJudge-v1.0"],
    ] as const) {
      const { status, body, headers } = await ask(requestOf(minutes(1, 13), judge));
      expect(status).toBe(200);
      expect(headers.get("content-type")).toMatch(/^application\/json/);
      expect(CanaryJudgeResult.parse(body)).toEqual(body);
      expect(body).toMatchObject({ judgeName: name, score: { score: 0, classification: "Fail" } });
    }
  });

  test("what is wrong with a request is a 400 with a message", async () => {
    const missing = await ask({ canaryConfig: { metrics: [] } });
    expect(missing.status).toBe(400);
    expect(missing.body).toEqual({
      message: "scoreThresholds is missing; metricSetPairList is missing",
      issues: [
        { pointer: "/scoreThresholds", detail: "is missing" },
        { pointer: "/metricSetPairList", detail: "is missing" },
      ],
    });
    expect((await ask("{")).body.message).toMatch(/^the body is not JSON: /);
    expect((await ask("")).body.message).toBe("there is no body");
    expect((await ask("[".repeat(100_000))).body.message).toMatch(/nests 100000 levels deep/);
    expect((await ask(requestOf([1], "dredd-v1.0"))).body.message).toMatch(/Unable to resolve judge dredd-v1.0/);
  });

  test("takes megabytes, also compressed, but not without end", async () => {
    const missing = Array.from({ length: 300_000 }, () => "NaN");
    const text = JSON.stringify(requestOf([...minutes(1, 10), ...missing], "NetflixACAJudge-v1.0"));
    expect(text.length).toBeGreaterThan(1_500_000);
    expect((await ask(text)).status).toBe(200);
    const zipped = await fetch(`${street.url}/judge`, {
      method: "POST",
      headers: { authorization: "Bearer a-token-of-some-length", "content-encoding": "gzip" },
      body: gzipSync(text),
    });
    expect(zipped.status).toBe(200);
    const endless = await fetch(`${street.url}/judge`, {
      method: "POST",
      headers: { authorization: "Bearer a-token-of-some-length", "content-encoding": "gzip" },
      body: gzipSync(" ".repeat(33 * 1024 * 1024)),
    });
    expect(endless.status).toBe(413);
    expect(await endless.json()).toEqual({ message: "the body has more than 32 MB" });
  });

  test("needs the token, and POST", async () => {
    expect((await ask(requestOf([1]), { authorization: "Bearer wrong" })).status).toBe(401);
    const { status, headers } = await street.ask("GET", "/judge", undefined, {
      authorization: "Basic " + Buffer.from("kayenta:a-token-of-some-length").toString("base64"),
    });
    expect([status, headers.get("allow")]).toEqual([405, "POST"]);
  });
});
