import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../src/model/run.ts";
import { createPgliteSql } from "../../src/store/pglite.ts";
import { askServer, type Answer } from "../street.ts";
import { setStage, TOKEN, type Stage } from "./stage.ts";

/** The answers to Flagger's webhooks and metric templates, for every state of a run. */

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
}, 240_000);
afterAll(() => stage.stop());
afterEach(() => stage.cancelLive());

interface Hook {
  readonly name: string;
  readonly namespace: string;
  readonly phase: string;
  readonly checksum: string;
  readonly metadata: Readonly<Record<string, string>>;
}

let canaries = 0;
/** What Flagger sends for a canary of its own, with the arms named so that several tests can share the recorded sessions. */
const canary = (analysis: string, candidate = "v3", more: object = {}): Hook => ({
  name: `shop-${(canaries += 1)}`,
  namespace: "prod",
  phase: "Progressing",
  checksum: "7d9c6b8b9",
  metadata: { analysis, baseline: "v1", candidate },
  ...more,
});

/** What every answer on these routes must be: to Flagger 200, 201 and 202 mean yes, 204 and redirects are faults, and a text is shown up to some length. */
function check(answer: Answer): Answer {
  expect([200, 400, 401, 405, 409, 413, 415]).toContain(answer.status);
  expect(answer.text.length).toBeGreaterThan(0);
  expect(answer.text.length).toBeLessThan(800);
  if (answer.status === 200 || answer.status === 409) {
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(answer.text.trimEnd()).not.toMatch(/[\r\n]/);
  }
  return answer;
}

const call = async (role: string, hook: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer> =>
  check(await stage.ask("POST", `/v1/flagger/${role}`, hook, headers));

/** @returns the id of the run that watches. */
async function start(hook: Hook): Promise<string> {
  const answer = await call("start", hook);
  expect(answer.status, answer.text).toBe(200);
  return /run_[0-9a-f]+/.exec(answer.text)?.[0] ?? "";
}

/** The value of a series about the canary, as Flagger reads it; null for an empty vector. */
async function read(series: string, { namespace, name, metadata }: Hook): Promise<string | null> {
  const query = `${series}{namespace="${namespace}",name="${name}",target="${name}",analysis="${metadata["analysis"]}",window="1m"}`;
  const answer = await stage.ask("GET", `/flagger/api/v1/query?query=${encodeURIComponent(query)}`);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body).toMatchObject({ status: "success", data: { resultType: "vector" } });
  const { result } = answer.body.data;
  if (result.length === 0) return null;
  expect(result.length).toBe(1);
  const [at, value] = result[0].value;
  expect(typeof at).toBe("number");
  expect(typeof value).toBe("string");
  return value;
}

const hasEnded = ({ status }: RunView): boolean => status !== "queued" && status !== "running";
const decides = (decision: string) => (run: RunView) => run.lastLook?.decision === decision;
const overridden = (verdict: string) => async (id: string) => {
  await stage.until(id, ({ lastLook }) => lastLook !== null);
  await stage.override(id, verdict);
};

/** Changes the record while no process has it. */
const inRecord = async (statement: string, id: string): Promise<void> =>
  stage.restart(async (dataDir) => {
    const sql = await createPgliteSql(dataDir, () => undefined);
    await sql.query(statement, [id]);
    await sql.close();
  });
/** The newest look of three minutes ago, and no worker that makes another one. */
const GROW_STALE = `update touchstone.runs set lease_until = now() + interval '1 hour',
  report = jsonb_set(report::jsonb, '{look,at}', to_jsonb(touchstone.iso(now() - interval '3 minutes')))::text where id = $1`;
const BE_LATE =
  "update touchstone.runs set lease_until = now() + interval '1 hour', due_at = now() - interval '3 minutes' where id = $1";

interface State {
  readonly state: string;
  readonly of: () => Hook;
  /** Brings the run there. The free first step is used up before. */
  readonly reach?: (id: string, hook: Hook) => Promise<unknown>;
  /** What the hooks send, where that is another canary than the one that was started. */
  readonly asks?: (hook: Hook) => Hook;
  readonly says: { readonly rollback: number; readonly advance: number; readonly promote: number };
  readonly verdict: string | null;
  readonly words: RegExp;
}

const NO = { rollback: 409, advance: 409, promote: 409 };
const GO_ON = { ...NO, advance: 200 };
const PROMOTE = { ...NO, advance: 200, promote: 200 };
const ROLL_BACK = { ...NO, rollback: 200 };

const STATES: readonly State[] = [
  {
    state: "queued",
    of: () => canary("queued"),
    says: NO,
    verdict: "0",
    words: /has not looked yet; its first look is due at /,
  },
  {
    state: "queued and looked for by nobody",
    of: () => canary("queued"),
    reach: (id) => inRecord(BE_LATE, id),
    says: NO,
    verdict: null,
    words: /has not looked yet/,
  },
  {
    state: "running, of which the newest look wants more",
    of: () => canary("patient"),
    reach: (id) => stage.until(id, ({ findings }) => findings[0]?.finding === "safe"),
    says: GO_ON,
    verdict: "1",
    words: /every metric is safe, but the shortest duration has not passed/,
  },
  {
    state: "running, of which the newest look promotes",
    of: () => canary("live", "v4"),
    reach: (id) => stage.until(id, decides("promote")),
    says: PROMOTE,
    verdict: "1",
    words: /^promote: failures is safe/,
  },
  {
    state: "running, of which the newest look promoted and is stale",
    of: () => canary("live", "v4"),
    reach: async (id) => {
      await stage.until(id, decides("promote"));
      await inRecord(GROW_STALE, id);
    },
    says: NO,
    verdict: null,
    words: /not yet: the newest look is 18\d s old/,
  },
  {
    state: "running without data",
    of: () => canary("patient", "v9"),
    reach: (id) => stage.until(id, decides("continue")),
    says: NO,
    verdict: "0",
    words: /not yet: failures is source error/,
  },
  {
    state: "rolled back",
    of: () => canary("live", "v2"),
    reach: (id) => stage.until(id, hasEnded),
    says: ROLL_BACK,
    verdict: "-1",
    words: /^rollback: failures /,
  },
  {
    state: "paused at its end",
    of: () => canary("short", "v9"),
    reach: (id) => stage.until(id, hasEnded),
    says: NO,
    verdict: "0",
    words: /pause: failures: .*v9\.csv/,
  },
  {
    state: "promoted at its end",
    of: () => canary("short", "v4"),
    reach: (id) => stage.until(id, hasEnded),
    says: PROMOTE,
    verdict: "1",
    words: /^promote: failures is safe/,
  },
  ...(["promote", "rollback", "pause"] as const).map((verdict): State => ({
    state: `running, overridden to ${verdict}`,
    of: () => canary("patient"),
    reach: overridden(verdict),
    says: verdict === "promote" ? PROMOTE : verdict === "rollback" ? ROLL_BACK : NO,
    verdict: { promote: "1", rollback: "-1", pause: "0" }[verdict],
    words: new RegExp(`${verdict}: ann \\(token\\) decided so`),
  })),
  {
    state: "rolled back, overridden to promote",
    of: () => canary("live", "v2"),
    reach: async (id) => {
      await stage.until(id, hasEnded);
      await stage.override(id, "promote");
    },
    says: PROMOTE,
    verdict: "1",
    words: /^promote: ann /,
  },
  {
    state: "failed",
    of: () => canary("breaks"),
    reach: (id) => stage.until(id, hasEnded),
    says: NO,
    verdict: null,
    words: /run_\w+ failed: a bug that the test brought in/,
  },
  {
    state: "cancelled",
    of: () => canary("patient"),
    reach: (id) => stage.ask("POST", `/v1/runs/${id}/cancel`),
    says: NO,
    verdict: null,
    words: /run_\w+ was cancelled/,
  },
  {
    state: "rolled back, after its rollout has failed",
    of: () => canary("live", "v2"),
    reach: async (id, hook) => {
      await stage.until(id, hasEnded);
      await call("finish", { ...hook, phase: "Failed" });
    },
    says: NO,
    verdict: null,
    words: /the rollout failed at .*, and start has not been asked for since/,
  },
  {
    state: "rolled back, and another checksum asks",
    of: () => canary("live", "v2"),
    reach: (id) => stage.until(id, hasEnded),
    asks: (hook) => ({ ...hook, checksum: "another" }),
    says: NO,
    verdict: "-1",
    words: /is not for checksum:another; start has not been asked for/,
  },
  {
    state: "unknown",
    of: () => canary("patient"),
    asks: (hook) => ({ ...hook, name: `${hook.name}-other` }),
    says: NO,
    verdict: null,
    words: /has no run under patient; start has not been asked for/,
  },
];

test.each(STATES)("a run that is $state", async ({ of, reach, asks, says, verdict, words }) => {
  const started = of();
  const id = await start(started);
  expect(await call("advance", started)).toMatchObject({ status: 200 });
  await reach?.(id, started);
  const hook = asks?.(started) ?? started;
  const told: string[] = [];
  for (const [role, status] of Object.entries(says)) {
    const answer = await call(role, hook);
    expect(answer.status, `${role}: ${answer.text}`).toBe(status);
    told.push(answer.text);
  }
  // The one that says most: what is granted, else why the next step is not.
  const granted = Object.values(says).indexOf(200);
  expect(told[granted < 0 ? 1 : says.promote === 200 ? 2 : granted]).toMatch(words);
  expect(await read("touchstone_verdict", hook)).toBe(verdict);
  const score = await read("touchstone_score", hook);
  if (verdict === null || told.join("").includes("has not looked yet")) expect(score).toBeNull();
  else if (score !== null) expect(Number(score)).toBeGreaterThanOrEqual(0);
});

test("the first step is free once, and again whenever Flagger begins at weight 0", async () => {
  const hook = canary("queued");
  const id = await start(hook);
  expect((await call("promote", hook)).status).toBe(409);
  expect((await call("advance", hook)).text).toMatch(/the first step needs no evidence/);
  expect((await call("advance", hook)).status).toBe(409);
  // Flagger did not hear of it, and asks for the start again: still at weight 0.
  expect(await start(hook)).toBe(id);
  expect((await call("advance", hook)).status).toBe(200);
  expect((await call("advance", hook)).status).toBe(409);
});

test("no first step is free against a person's verdict", async () => {
  const hook = canary("queued");
  await stage.override(await start(hook), "rollback");
  expect((await call("advance", hook)).status).toBe(409);
  expect((await call("rollback", hook)).status).toBe(200);
});

test("a canary is watched through restarts to its end, with its weights", async () => {
  const hook = canary("live", "v4");
  const event = (eventMessage: string) => {
    const metadata = { ...hook.metadata, eventMessage, eventType: "Normal", timestamp: "1" };
    return call("event", { ...hook, metadata });
  };
  expect((await event(`New revision detected! Scaling up ${hook.name}.prod`)).status).toBe(200);
  expect((await call("rollback", hook)).status).toBe(409);
  const id = await start(hook);
  expect((await call("advance", hook)).status).toBe(200);
  for (const message of [
    `Advance ${hook.name}.prod canary weight 10`,
    `Advance ${hook.name}.prod canary weight 10`,
    `Advance ${hook.name}.prod canary iteration 1/10`,
    `Advance ${hook.name}.prod primary weight 70`,
    "Confirm-traffic-increase check judge-advance passed",
  ])
    await event(message);
  await stage.restart();
  await stage.until(id, decides("promote"));
  expect((await call("rollback", hook)).status).toBe(409);
  expect((await call("advance", hook)).status).toBe(200);
  await event(`Advance ${hook.name}.prod canary weight 50`);
  expect(await stage.run(id)).toMatchObject({ status: "running", verdict: null, outcome: null });
  await stage.restart();
  expect(await start(hook)).toBe(id);
  await stage.until(id, decides("promote"));
  expect((await call("promote", hook)).status).toBe(200);
  await event("Routing all traffic to primary");
  // Flagger's own finish has no metadata, unless somebody writes it.
  const { metadata: _, ...bare } = hook;
  expect((await call("finish", { ...bare, phase: "Succeeded" })).text).toBe("the rollout succeeded\n");
  const run = await stage.until(id, hasEnded);
  expect(run).toMatchObject({ verdict: "promote", outcome: { outcome: "succeeded" } });
  expect(run.weights?.map(({ weight }) => weight)).toEqual([10, 50, 0]);
  // Asked again after a lost answer, it changes nothing.
  expect((await call("finish", { ...bare, phase: "Failed" })).status).toBe(200);
  expect((await stage.run(id)).outcome).toEqual(run.outcome);
}, 120_000);

test("a canary that was rolled back stays so through a restart, and begins anew only with start", async () => {
  const hook = canary("live", "v2");
  const id = await start(hook);
  await call("advance", hook);
  await stage.restart();
  await stage.until(id, hasEnded);
  expect((await call("rollback", hook)).status).toBe(200);
  await stage.restart();
  expect((await call("rollback", hook)).status).toBe(200);
  await call("finish", { ...hook, phase: "Failed" });
  // Flagger asks for a rollback before it asks for the start.
  expect((await call("rollback", hook)).status).toBe(409);
  const again = await start(hook);
  expect(again).not.toBe(id);
  expect((await stage.run(again)).rollout?.attempt).toBe(2);
  expect((await call("rollback", hook)).status).toBe(409);
}, 120_000);

test("a start before the last look of a finished canary does not wait for it", async () => {
  const hook = canary("patient");
  const id = await start(hook);
  await inRecord("update touchstone.runs set lease_until = now() + interval '1 hour' where id = $1", id);
  await call("finish", { ...hook, phase: "Failed" });
  expect((await stage.run(id)).status).toBe("queued");
  const again = await start(hook);
  expect(again).not.toBe(id);
  expect((await stage.run(id)).status).toBe("cancelled");
});

test("a new checksum ends the watch of the old one, and its hooks are refused", async () => {
  const hook = canary("patient");
  const id = await start(hook);
  const next = { ...hook, checksum: "123456" };
  await start(next);
  expect((await stage.run(id)).error?.code).toBe("superseded");
  expect((await call("advance", hook)).status).toBe(409);
  expect((await call("advance", next)).status).toBe(200);
  // Checksums of digits have no order.
  await start({ ...hook, checksum: "99" });
});

test("two analyses watch one canary, each for itself", async () => {
  const one = canary("patient");
  const other = { ...one, metadata: { ...one.metadata, analysis: "live" } };
  const ids = [await start(one), await start(other)];
  expect((await call("advance", one)).status).toBe(200);
  await call("event", { ...one, metadata: { eventMessage: `Advance ${one.name}.prod canary weight 5` } });
  for (const id of ids) expect((await stage.run(id)).weights?.[0]?.weight).toBe(5);
  await call("finish", one);
  await call("finish", { ...one, phase: "Failed" });
  expect((await stage.run(ids[0] ?? "")).outcome?.outcome).toBe("failed");
  expect((await stage.run(ids[1] ?? "")).outcome).toBeNull();
});

test("without versions the arms are the primary and the canary itself; metadata may say more of them", async () => {
  const plain = await stage.run(
    await start(canary("patient", "", { name: "shop", metadata: { analysis: "patient" } })),
  );
  expect(plain).toMatchObject({
    baseline: { label: "shop-primary" },
    candidate: { label: "shop" },
    rollout: { namespace: "prod", name: "shop", revision: "checksum:7d9c6b8b9" },
  });
  const metadata = {
    analysis: "asks",
    baseline: "v1",
    "baseline.model": "large-3",
    candidate: "v3",
    "candidate.labels.zone": "eu",
    "arg.region": "eu",
    comment: "of no account",
  };
  expect(await stage.run(await start(canary("asks", "", { metadata })))).toMatchObject({
    baseline: { label: "v1", tuple: { model: "large-3" } },
    candidate: { label: "v3", labels: { zone: "eu" } },
    args: { region: "eu", count: "1" },
  });
});

test.each([
  ["no analysis", { metadata: {} }, /\/metadata\/analysis is missing/],
  ["no metadata", { metadata: undefined }, /\/metadata\/analysis is missing/],
  ["an unknown analysis", { metadata: { analysis: "nobody" } }, /there is no analysis named nobody/],
  ["one look", { metadata: { analysis: "once" } }, /the analysis once looks once; its plan.mode must be continuous/],
  ["a missing argument", { metadata: { analysis: "asks" } }, /args\/region is missing/],
  [
    "half a word",
    { metadata: { analysis: "live", "candidate.label.x": "y" } },
    /candidate\.label\.x is not understood/,
  ],
  ["no name", { name: undefined }, /\/name is missing/],
  ["a source that is not configured", { metadata: { analysis: "elsewhere" } }, /promotionEnds|no source named nowhere/],
])("a start with %s says what to mend", async (_, more, words) => {
  const answer = await call("start", { ...canary("live"), ...more });
  expect(answer.status).toBe(409);
  expect(answer.text).toMatch(words);
});

const ROLES = ["start", "rollback", "advance", "promote", "finish", "event"];

describe.each(ROLES)("%s", (role) => {
  test.each([
    ["no body", "", {}, 400],
    ["half a body", '{"name":', {}, 400],
    ["an empty object", "{}", {}, 409],
    ["null", "null", {}, 409],
    ["more than 64 kB", JSON.stringify({ name: "x".repeat(70_000) }), {}, 413],
    ["10 MB", JSON.stringify({ name: "x".repeat(10_000_000) }), {}, 413],
    ["another content type", "{}", { "content-type": "text/plain" }, 415],
    ["no token", "{}", { authorization: "" }, 401],
    ["a wrong token", "{}", { authorization: "Bearer wrong" }, 401],
  ])("%s is refused", async (_, body, headers, status) => {
    expect((await call(role, body, headers)).status).toBe(status);
  });

  test("it takes no other method", async () => {
    expect(check(await stage.ask("GET", `/v1/flagger/${role}`)).status).toBe(405);
  });
});

test("finish knows how a rollout can end, and one that nobody watched is no fault", async () => {
  expect((await call("finish", canary("live"))).text).toMatch(/\/phase must be Succeeded or Failed/);
  expect((await call("finish", { ...canary("live"), phase: "Succeeded" })).text).toBe("no run watched it\n");
});

test("hooks take the token in their path or in their address", async () => {
  const hook = canary("patient");
  const inPath = await askServer(stage.url, "POST", `/t/${encodeURIComponent(TOKEN)}/v1/flagger/start`, hook);
  expect(inPath.status).toBe(200);
  const authorization = `Basic ${Buffer.from(`flagger:${TOKEN}`).toString("base64")}`;
  expect((await askServer(stage.url, "POST", "/v1/flagger/advance", hook, { authorization })).status).toBe(200);
  expect((await askServer(stage.url, "POST", "/t/wrong/v1/flagger/start", hook)).status).toBe(401);
});

describe("the query API", () => {
  const ask = (query: string) => stage.ask("GET", `/flagger/api/v1/query?query=${encodeURIComponent(query)}`);

  test("the probe of Flagger's is 1", async () => {
    for (const query of ["vector(1)", " vector( 1 ) "])
      expect((await ask(query)).body).toEqual({
        status: "success",
        data: { resultType: "vector", result: [{ metric: {}, value: [expect.any(Number), "1"] }] },
      });
  });

  test("a form is read like a query", async () => {
    const hook = canary("live", "v2");
    await stage.until(await start(hook), hasEnded);
    const query = `touchstone_verdict{analysis="live", name="${hook.name}",namespace="prod",}`;
    const answer = await stage.ask("POST", "/flagger/api/v1/query", new URLSearchParams({ query }).toString(), {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(answer.body.data.result).toEqual([
      {
        metric: {
          __name__: "touchstone_verdict",
          namespace: "prod",
          name: hook.name,
          analysis: "live",
          run: expect.stringMatching(/^run_/),
        },
        value: [expect.any(Number), "-1"],
      },
    ]);
    expect(Number(await read("touchstone_score", hook))).toBeLessThan(50);
  });

  test.each([
    ["", /query/],
    ["up", /only vector\(1\), touchstone_verdict/],
    ['up{job="x"}', /only vector\(1\)/],
    ["vector(2)", /only vector\(1\)/],
    ['1 - touchstone_verdict{name="a"}', /only vector\(1\)/],
    ['touchstone_verdict{namespace="a",name="b"}', /needs the label analysis/],
    ['touchstone_verdict{namespace="a",name="",analysis="c"}', /needs the label name/],
    ['touchstone_verdict{namespace="a",name="b",analysis="c",nmae="d"}', /has no label nmae/],
    ['touchstone_verdict{namespace=~"a.*",name="b",analysis="c"}', /namespace is matched by =~/],
    ['touchstone_verdict{namespace="a",namespace="a",name="b",analysis="c"}', /namespace stands twice/],
    ['touchstone_verdict{namespace="a\u0000",name="b",analysis="c"}', /namespace holds control characters/],
    ['touchstone_verdict{namespace="a" name="b"}', /is no label with its value/],
    ['touchstone_verdict{namespace="a}', /is no label with its value/],
  ])("%s is an error as Prometheus has it", async (query, words) => {
    const answer = await ask(query);
    expect(answer).toMatchObject({ status: 400, body: { status: "error", errorType: "bad_data" } });
    expect(answer.body.error).toMatch(words);
  });

  test("it wants the token, and a form of another type is refused", async () => {
    expect((await askServer(stage.url, "GET", "/flagger/api/v1/query?query=vector(1)")).status).toBe(401);
    expect(await stage.ask("POST", "/flagger/api/v1/query", { query: "vector(1)" })).toMatchObject({
      status: 415,
      body: { status: "error" },
    });
  });
});
