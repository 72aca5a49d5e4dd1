import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ArgoVerdict } from "../../src/model/argo.ts";
import type { RunView } from "../../src/model/run.ts";
import { createPgliteSql } from "../../src/store/pglite.ts";
import { askServer, type Answer } from "../street.ts";
import { setStage, TOKEN, type Stage } from "./stage.ts";

/** The answers to Argo Rollouts' web metric, for every state of a run and in both modes. */

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
}, 240_000);
afterAll(() => stage.stop());
afterEach(() => stage.cancelLive());

let services = 0;
/** A question of a rollout of its own, as a template sends it: all of it text. */
const question = (more: object = {}) => ({
  mode: "step",
  analysis: "once",
  namespace: "prod",
  service: `shop-${(services += 1)}`,
  baseline: "v1",
  candidate: "v3",
  revision: "7",
  step: "1",
  ...more,
});

/** What every answer on this route must be: Argo before 1.10 takes a 2xx without a JSON object for success. */
function check(answer: Answer): Answer {
  expect(answer.status).not.toBe(204);
  expect(Math.floor(answer.status / 100)).not.toBe(3);
  if (answer.status > 299) {
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    return answer;
  }
  expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  expect(answer.text).toMatch(/^\{"summary":"[a-z]+: /);
  expect(answer.text).toBe(JSON.stringify(JSON.parse(answer.text)));
  const { summary, verdict } = ArgoVerdict.parse(answer.body);
  expect(summary.startsWith(`${verdict}: `)).toBe(true);
  expect(summary.length).toBeLessThanOrEqual(240);
  expect(summary).not.toMatch(/[\r\n]/);
  return answer;
}

const poll = async (body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer> =>
  check(await stage.ask("POST", "/v1/argo/verdict", body, headers));

/** Starts the run of a question. @returns its id. */
async function start(body: object): Promise<string> {
  const answer = await poll(body);
  const id = /\brun_[0-9a-f]+/.exec(answer.text)?.[0];
  if (id === undefined) throw new Error(answer.text);
  return id;
}

const hasEnded = ({ status }: RunView): boolean => status !== "queued" && status !== "running";
const hasLooked = ({ lastLook }: RunView): boolean => lastLook !== null;

interface State {
  readonly state: string;
  readonly asks: object;
  /** Brings the run there. */
  readonly reach?: (id: string) => Promise<unknown>;
  /** The status, and what the summary begins with. */
  readonly step: readonly [number, RegExp];
  readonly background: readonly [number, RegExp];
}

const ended = (id: string) => stage.until(id, hasEnded);
const overridden = (verdict: string) => async (id: string) => {
  await stage.until(id, hasLooked);
  await stage.override(id, verdict);
};

const STATES: readonly State[] = [
  {
    state: "queued",
    asks: { analysis: "queued" },
    step: [425, /looks next at .*; it has not looked yet/],
    background: [200, /^continue: the first look is due at /],
  },
  {
    state: "running",
    asks: { analysis: "patient" },
    reach: (id) => stage.until(id, hasLooked),
    step: [425, /looks next at .*; continue: /],
    background: [200, /^continue: (?!continue|promote)/],
  },
  {
    state: "rolled back",
    asks: { analysis: "live", candidate: "v2" },
    reach: ended,
    step: [200, /^rollback: failures /],
    background: [200, /^rollback: failures /],
  },
  {
    state: "promoted",
    asks: { analysis: "short", candidate: "v4" },
    reach: ended,
    step: [200, /^promote: failures is safe/],
    background: [200, /^continue: failures is safe/],
  },
  {
    state: "paused at its deadline",
    asks: { analysis: "short", candidate: "v9" },
    reach: ended,
    step: [200, /^pause: failures: .*v9\.csv/],
    background: [200, /^pause: failures: .*v9\.csv/],
  },
  {
    state: "running, overridden to promote",
    asks: { analysis: "patient" },
    reach: overridden("promote"),
    step: [200, /^promote: ann \(token\) decided so: somebody looked closely$/],
    background: [200, /^continue: ann /],
  },
  {
    state: "running, overridden to rollback",
    asks: { analysis: "patient" },
    reach: overridden("rollback"),
    step: [200, /^rollback: ann /],
    background: [200, /^rollback: ann /],
  },
  {
    state: "rolled back, overridden to pause",
    asks: { analysis: "live", candidate: "v2" },
    reach: async (id) => {
      await ended(id);
      await stage.override(id, "pause");
    },
    step: [200, /^pause: ann /],
    background: [200, /^pause: ann /],
  },
  {
    state: "cancelled",
    asks: { analysis: "patient" },
    reach: (id) => stage.ask("POST", `/v1/runs/${id}/cancel`),
    step: [200, /^pause: the run was cancelled: cancelled by request$/],
    background: [200, /^pause: the run was cancelled/],
  },
];

describe.each(STATES)("a run that is $state", ({ asks, reach, step, background }) => {
  test.each([
    ["step", step],
    ["background", background],
  ] as const)("is answered in %s mode, and the same when asked again", async (mode, [status, words]) => {
    const asked = question({ ...asks, mode });
    const id = await start(asked);
    await reach?.(id);
    for (const _ of [1, 2]) {
      const answer = await poll(asked);
      expect(answer.status, answer.text).toBe(status);
      expect(status === 200 ? answer.body.summary : answer.body.detail).toMatch(words);
      if (status === 200) expect(answer.body.run).toBe(id);
      else expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      if (mode === "background") expect(answer.body.verdict).not.toBe("promote");
    }
  });
});

test("a run that failed by a fault of ours says error, which is no verdict", async () => {
  const asked = question({ analysis: "breaks" });
  await ended(await start(asked));
  expect((await poll(asked)).body).toMatchObject({
    verdict: "error",
    summary: expect.stringMatching(/^error: Touchstone could not judge \(internal\): a bug that the test brought in/),
  });
});

test.each([
  ["an analysis that is not there", { analysis: "nobody" }, /there is no analysis named nobody/],
  ["an analysis that has no name", { analysis: "" }, /analysis must be/],
  ["a missing service", { service: undefined }, /\/service is missing/],
  ["a literal that no template filled in", { candidate: "{{args.hash}}" }, /\/candidate must be 1 to 128 of letters/],
  ["both arms of one version", { baseline: "v3" }, /candidate\/label is the baseline's label, v3/],
  ["a mode that does not exist", { mode: "inline" }, /\/mode must be step or background/],
  ["a source that is not configured", { analysis: "elsewhere" }, /no source named nowhere is configured/],
  ["a missing argument", { analysis: "asks" }, /args\/region is missing/],
  ["an unknown argument", { args: { zone: "eu" } }, /args\/zone is not an argument/],
  ["one look for a watch", { mode: "background" }, /the analysis once looks once; its plan.mode must be/],
  ["a body that is no object", [1], /must be an object|expected object/],
  ["null", null, /expected object|must be an object/],
])(
  "%s is said in an answer that Argo shows, not in a status that it would ask again for an hour",
  async (_, more, words) => {
    const body =
      typeof more === "object" && more !== null && !Array.isArray(more) ? question(more) : JSON.stringify(more);
    const answer = await poll(body);
    expect(answer).toMatchObject({ status: 200, body: { verdict: "error" } });
    expect(answer.body.summary).toMatch(words);
    expect(answer.body.run).toBeUndefined();
  },
);

test("another question while a run is live is a conflict, and the run goes on", async () => {
  const asked = question({ analysis: "patient" });
  const id = await start(asked);
  expect((await poll({ ...asked, baseline: { label: "v1", labels: { zone: "eu" } } })).body.summary).toMatch(
    new RegExp(`^error: run ${id} is live for this rollout`),
  );
  expect((await poll(asked)).status).toBe(425);
});

test("an older revision is refused while a newer one is judged; a newer one ends the older", async () => {
  const asked = question({ analysis: "patient", revision: "7" });
  const id = await start(asked);
  const newer = await start({ ...asked, revision: "8" });
  expect(newer).not.toBe(id);
  expect(await stage.run(id)).toMatchObject({ status: "cancelled", error: { code: "superseded" } });
  // Once more for whoever polls still, then in words.
  expect((await poll(asked)).body.summary).toMatch(/^pause: the run was cancelled: a run for revision 8 /);
  expect((await poll({ ...asked, revision: "6" })).body.summary).toMatch(/^error: revision 6 is older than revision 8/);
});

test("steps and modes of one rollout are judged apart", async () => {
  const asked = question({ analysis: "patient" });
  const ids = await Promise.all([
    start(asked),
    start({ ...asked, step: "3" }),
    start({ ...asked, step: "" }),
    start({ ...asked, mode: "background" }),
  ]);
  expect(new Set(ids).size).toBe(4);
  const runs = await Promise.all(ids.map((id) => stage.run(id)));
  expect(runs.map(({ rollout }) => rollout?.stage)).toEqual(["1", "3", undefined, "background"]);
  expect(runs.every(({ status }) => status !== "cancelled")).toBe(true);
});

test("numbers and booleans count as their text, and what nobody knows is left out of account", async () => {
  const asked = question({
    analysis: "asks",
    revision: 7,
    step: 1,
    args: { region: true, count: 3 },
    comment: { a: 1 },
  });
  const run = await stage.run(await start(asked));
  expect(run).toMatchObject({ rollout: { revision: "7", stage: "1" }, args: { region: "true", count: "3" } });
  expect(await start({ ...asked, revision: "7", step: "1", args: { region: "true", count: "3" } })).toBe(run.id);
});

test("without a revision the candidate stands for it, and a new candidate ends the run of the old one", async () => {
  const asked = question({ analysis: "patient", revision: "" });
  const first = await start(asked);
  const { revision: _, ...without } = asked;
  expect(await start(without)).toBe(first);
  await start({ ...without, candidate: "v4" });
  expect((await stage.run(first)).error?.code).toBe("superseded");
});

test("what comes without a content type is read all the same: a template's `body` has none", async () => {
  const asked = question({ analysis: "patient" });
  const response = await fetch(`${stage.url}/v1/argo/verdict`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: new Blob([JSON.stringify(asked)]).stream(),
    duplex: "half",
  });
  expect(response.status).toBe(425);
});

test.each([
  ["no body", "", {}, 400, "malformed_body"],
  ["half a body", '{"mode":', {}, 400, "malformed_body"],
  ["more than 64 kB", JSON.stringify({ mode: "x".repeat(70_000) }), {}, 413, "body_too_large"],
  ["10 MB", JSON.stringify({ mode: "x".repeat(10_000_000) }), {}, 413, "body_too_large"],
  ["a form", "mode=step", { "content-type": "application/x-www-form-urlencoded" }, 415, "unsupported_media_type"],
  ["no token", "{}", { authorization: "" }, 401, "unauthorized"],
  ["a wrong token", "{}", { authorization: "Bearer wrong" }, 401, "unauthorized"],
])("%s is refused with a status", async (_, body, headers, status, code) => {
  expect(await poll(body, headers)).toMatchObject({ status, body: { code } });
});

test.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])("%s is not taken", async (method) => {
  const response = await fetch(`${stage.url}/v1/argo/verdict`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    redirect: "manual",
  });
  expect(response.status).toBe(405);
});

test.each(["/v1/argo/verdict/", "/v1/argo", "/v1/argo/nothing"])("%s never redirects", async (path) => {
  const response = await fetch(`${stage.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: "{}",
    redirect: "manual",
  });
  expect([200, 404]).toContain(response.status);
  expect(await response.json()).toBeTypeOf("object");
});

test("the token may stand in the path, or be the password of Basic", async () => {
  const body = JSON.stringify(question({ analysis: "patient" }));
  const post = async (path: string, headers = {}) => askServer(stage.url, "POST", path, body, headers);
  const inPath = `/t/${encodeURIComponent(TOKEN)}/v1/argo/verdict`;
  const basic = { authorization: `Basic ${Buffer.from(`argo:${TOKEN}`).toString("base64")}` };
  expect((await post(inPath)).status).toBe(425);
  expect((await post("/v1/argo/verdict", basic)).status).toBe(425);
  expect((await post("/t/wrong/v1/argo/verdict")).status).toBe(401);
  expect((await post("/t//v1/argo/verdict")).status).toBe(401);
  expect((await post("/t/%zz/v1/argo/verdict")).status).toBe(401);
  // Elsewhere it does not open: a page would hand its own address on.
  expect((await askServer(stage.url, "GET", `/t/${encodeURIComponent(TOKEN)}/v1/runs`)).status).toBe(401);
});

/** Sets back when the record says that answers were given. */
async function forgetLately(dataDir: string): Promise<void> {
  const sql = await createPgliteSql(dataDir, () => undefined);
  await sql.query("update touchstone.controlled_runs set told_at = told_at - interval '61 seconds'");
  await sql.close();
}

describe("after a minute a final answer is not repeated", () => {
  test.each(["step", "background"])("in %s mode a later question opens the next attempt", async (mode) => {
    const asked = question({ analysis: "live", candidate: "v2", mode });
    const first = await start(asked);
    await ended(first);
    // Decided long before anybody asks: the answer still waits.
    expect((await poll(asked)).body).toMatchObject({ verdict: "rollback", run: first, attempt: 1 });
    await stage.restart(forgetLately);
    const second = await start(asked);
    expect(second).not.toBe(first);
    const run = await stage.run(second);
    expect(run.rollout?.attempt).toBe(2);
    expect(Date.parse(run.window?.start ?? "")).toBeGreaterThan(Date.now() - 30_000);
  });

  test("an override that comes later is told as new", async () => {
    const asked = question({ analysis: "live", candidate: "v2" });
    const id = await start(asked);
    await ended(id);
    expect((await poll(asked)).body.verdict).toBe("rollback");
    await stage.override(id, "promote");
    await stage.restart(forgetLately);
    expect((await poll(asked)).body).toMatchObject({ verdict: "promote", run: id });
    expect((await poll(asked)).body).toMatchObject({ verdict: "promote", run: id });
  });
});

test("a restart in the middle of the questions changes nothing of the answer", async () => {
  const asked = question({ analysis: "short", candidate: "v2" });
  const id = await start(asked);
  await stage.restart();
  await ended(id);
  const answer = await poll(asked);
  expect(answer.body).toMatchObject({ verdict: "rollback", run: id });
  await stage.restart();
  expect((await poll(asked)).text).toBe(answer.text);
});

test("a guard in the background that nobody looks for says pause", async () => {
  const asked = question({ analysis: "queued", mode: "background" });
  const id = await start(asked);
  await stage.restart(async (dataDir) => {
    const sql = await createPgliteSql(dataDir, () => undefined);
    // As if no worker had come for eleven minutes; held by one that never ends, so that none comes now.
    await sql.query(
      "update touchstone.runs set due_at = now() - interval '11 minutes', lease_until = now() + interval '1 hour' where id = $1",
      [id],
    );
    await sql.close();
  });
  expect((await poll(asked)).body).toMatchObject({
    verdict: "pause",
    summary: expect.stringMatching(/^pause: nobody has looked since /),
  });
});
