import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { TouchstoneError } from "../../src/errors.ts";
import { createLogger } from "../../src/log.ts";
import type { DeliveryView } from "../../src/model/event.ts";
import { TargetConfig } from "../../src/model/target.ts";
import { createPost } from "../../src/post.ts";
import { announceEvents } from "../../src/store/announce-events.ts";
import { migrate } from "../../src/store/migrations.ts";
import { createPgliteSql } from "../../src/store/pglite.ts";
import type { Sql } from "../../src/store/sql.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { MOST_CLAIMS } from "../../src/store/work.ts";
import type { Store } from "../../src/store/store.ts";
import { createTelemetry, type Telemetry } from "../../src/telemetry.ts";
import { wireTargets } from "../../src/wire-targets.ts";
import { startDeliverer, type DelivererOptions, type RunningDeliverer } from "../../src/worker/deliverer.ts";
import { runOf } from "../fixtures.ts";
import { listenForEvents } from "../notify/receiver.ts";

const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const ok = (_one: unknown, response: ServerResponse) => void response.writeHead(200).end();

// A busy machine takes seconds for what is done in milliseconds otherwise.
vi.setConfig({ testTimeout: 30_000 });
const EVENTUALLY = { timeout: 25_000, interval: 5 };

let sql: Sql;
let store: Store;
beforeAll(async () => {
  sql = await createPgliteSql(null, () => undefined);
  await migrate(sql);
  store = createSqlStore(sql);
}, 60_000);
afterAll(() => store.close());
beforeEach(async () => {
  await sql.query("delete from touchstone.outbox");
  await sql.query("delete from touchstone.runs");
});

let ids = 0;
/** A run that ends at once, and so an event for each of the targets. @returns its id. */
async function tell(...notify: string[]): Promise<string> {
  const { run } = await store.startRun({
    project: "default",
    requestDigest: "d",
    rollout: null,
    idempotency: null,
    actor: "a test",
    admit: () => undefined,
    build: (now) => ({ run: runOf({ id: `run_${(ids += 1)}`, notify }), dueAt: now }),
  });
  await store.cancelRun("default", run.run.id, "not wanted", "a test");
  return run.run.id;
}

const webhook = (name: string, url: string, more: object = {}): TargetConfig =>
  TargetConfig.parse({ name, type: "webhook", url, secrets: ["env:SECRET"], allowPrivate: true, ...more });

interface Delivering extends RunningDeliverer {
  readonly telemetry: Telemetry;
  /** Moves the deliverer's own clock on. */
  advance(milliseconds: number): void;
  /** Resolves when a sweep that began after this call has found nothing that it may claim. */
  idle(): Promise<void>;
}

function deliver(
  configs: readonly TargetConfig[],
  options: Partial<DelivererOptions> = {},
  record: Store = store,
): Delivering {
  const post = createPost();
  onTestFinished(() => post.close());
  const telemetry = createTelemetry();
  let now = 0;
  let emptyClaims = 0;
  const claimDeliveries: Store["claimDeliveries"] = async (...of) => {
    const claimed = await record.claimDeliveries(...of);
    if (claimed.length === 0) emptyClaims += 1;
    return claimed;
  };
  const deliverer = startDeliverer(
    {
      store: { ...record, claimDeliveries },
      targets: wireTargets({ configs, environment: { SECRET } }, post, () => Promise.resolve(null)),
      telemetry,
      log: createLogger("silent"),
      random: () => 0,
      now: () => now,
    },
    { leaseSeconds: 30, sweepMs: 20, concurrency: 4, maxAgeSeconds: 3 * 86_400, ...options },
  );
  onTestFinished(() => deliverer.stop(0));
  return {
    ...deliverer,
    telemetry,
    advance: (milliseconds) => void (now += milliseconds),
    async idle() {
      // The first may have been under way.
      for (let i = 0; i < 2; i++) {
        const before = emptyClaims;
        deliverer.wake();
        await expect.poll(() => emptyClaims, EVENTUALLY).toBeGreaterThan(before);
      }
    },
  };
}

/** Asks the record until a delivery is as wanted; the test's own time limit ends it otherwise. */
async function until(run: string, wanted: (delivery: DeliveryView) => boolean): Promise<DeliveryView> {
  for (;;) {
    const delivery = (await store.listDeliveries("default", run)).find(wanted);
    if (delivery !== undefined) return delivery;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const delivered = ({ deliveredAt }: DeliveryView) => deliveredAt !== null;
const givenUp = ({ givenUpAt }: DeliveryView) => givenUpAt !== null;
/** Settled after so many failures: during an attempt the next one does not yet lie ahead. */
const failedTimes =
  (n: number) =>
  ({ attempts, nextAt }: DeliveryView) =>
    attempts === n && nextAt !== null && Date.parse(nextAt) > Date.now();
const hurry = () => sql.query("update touchstone.outbox set next_at = now() where next_at > now()");
const countOf = async (telemetry: Telemetry, outcome: string): Promise<number> =>
  (await telemetry.deliveries.get()).values
    .filter(({ labels }) => labels.outcome === outcome)
    .reduce((sum, { value }) => sum + value, 0);

test("a receiver that fails twice is told a third time: the same id, the same bytes, once it has taken them no more", async () => {
  const { url, received } = await listenForEvents((_one, response, nth) =>
    response.writeHead(nth < 3 ? 500 : 200).end(),
  );
  const deliverer = deliver([webhook("pager", url)]);
  const run = await tell("pager");
  const first = await until(run, failedTimes(1));
  expect(first.lastError).toBe("answered 500");
  const waits = (Date.parse(first.nextAt ?? "") - Date.parse(first.createdAt)) / 1000;
  expect(waits).toBeGreaterThan(4.9);
  expect(waits).toBeLessThan(10);
  await hurry();
  await until(run, failedTimes(2));
  await hurry();
  expect(await until(run, delivered)).toMatchObject({ attempts: 3, lastError: null, nextAt: null });
  await deliverer.stop(1000);
  expect(received.length).toBe(3);
  expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([`evt_${run.slice(4)}_end`]));
  for (const { body, headers } of received) expect(new Webhook(SECRET).verify(body, headers)).toBeTruthy();
  const counts = ["retried", "delivered"].map((outcome) => countOf(deliverer.telemetry, outcome));
  expect(await Promise.all(counts)).toEqual([2, 1]);
});

test("a receiver that hangs holds up nobody else, and what is under way is handed back at the end", async () => {
  const slow = await listenForEvents(() => undefined);
  const fast = await listenForEvents(ok);
  const deliverer = deliver([webhook("slow", slow.url, { timeout: "30s" }), webhook("fast", fast.url)]);
  const runs = [];
  for (let i = 0; i < 10; i++) runs.push(await tell("slow", "fast"));
  await Promise.all(runs.map((run) => until(run, delivered)));
  await deliverer.stop(0);
  expect([slow.received.length, fast.received.length]).toEqual([4, 10]);
  const waiting = await store.claimDeliveries(30, 100, []);
  expect(waiting.map(({ target }) => target)).toEqual(Array.from({ length: 10 }, () => "slow"));
  const seen = await Promise.all(runs.map((run) => store.listDeliveries("default", run)));
  expect(seen.flat().filter(({ lastError }) => lastError === "the worker shuts down").length).toBe(4);
});

test("attempts that end in time are waited for at the end", async () => {
  const held: ServerResponse[] = [];
  const { url, received } = await listenForEvents((_one, response) => void held.push(response));
  const deliverer = deliver([webhook("pager", url)]);
  const run = await tell("pager");
  await expect.poll(() => received.length, EVENTUALLY).toBe(1);
  const stopping = deliverer.stop(5000);
  held[0]?.writeHead(200).end();
  await stopping;
  expect(await store.listDeliveries("default", run)).toMatchObject([{ attempts: 1, deliveredAt: expect.anything() }]);
});

test("410 is the end of an event, and not of its target", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(410).end());
  const { telemetry } = deliver([webhook("pager", url)], { concurrency: 1 });
  const runs = [];
  for (let i = 0; i < 7; i++) runs.push(await tell("pager"));
  for (const run of runs)
    expect(await until(run, givenUp)).toMatchObject({ attempts: 1, lastError: "answered 410: the receiver is gone" });
  expect(received.length).toBe(7);
  expect((await telemetry.targetOpen.get()).values).toMatchObject([{ value: 0 }]);
});

test("Retry-After is honoured, for the event and for its target", async () => {
  const { url, received } = await listenForEvents((_one, response, nth) =>
    response.writeHead(nth === 1 ? 429 : 200, { "retry-after": "120" }).end(),
  );
  const deliverer = deliver([webhook("pager", url)], { sweepMs: 1_000_000 });
  const first = await tell("pager");
  deliverer.wake();
  const waits = await until(first, failedTimes(1));
  expect((Date.parse(waits.nextAt ?? "") - Date.parse(waits.createdAt)) / 1000).toBeGreaterThan(119.9);
  const second = await tell("pager");
  deliverer.advance(119_000);
  await deliverer.idle();
  expect(received.length).toBe(1);
  deliverer.advance(2_000);
  deliverer.wake();
  expect(await until(second, delivered)).toMatchObject({ attempts: 1 });
});

test("a worker that ends between the answer and the record tells again: the same id, the same bytes", async () => {
  const { url, received } = await listenForEvents(ok);
  let settled = 0;
  const forgetful: Store = {
    ...store,
    settleDelivery: (...of) =>
      (settled += 1) === 1
        ? Promise.reject(new TouchstoneError("store_unavailable", "gone"))
        : store.settleDelivery(...of),
  };
  deliver([webhook("pager", url)], { leaseSeconds: 0.2 }, forgetful);
  const run = await tell("pager");
  expect(await until(run, delivered)).toMatchObject({ attempts: 2 });
  expect(received.length).toBe(2);
  expect(received[1]?.body).toBe(received[0]?.body);
  expect(received[1]?.headers["webhook-id"]).toBe(received[0]?.headers["webhook-id"]);
});

test("after three days a failure is final, and a success still counts", async () => {
  let status = 500;
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(status).end());
  const age = (seconds: number) =>
    sql.query("update touchstone.outbox set created_at = now() - make_interval(secs => $1), next_at = now()", [
      seconds,
    ]);
  deliver([webhook("pager", url)]);
  const young = await tell("pager");
  await until(young, failedTimes(1));
  await age(3 * 86_400 - 60);
  await until(young, failedTimes(2));
  await age(3 * 86_400);
  expect(await until(young, givenUp)).toMatchObject({ attempts: 3, lastError: "answered 500", nextAt: null });
  status = 200;
  await sql.query("update touchstone.outbox set given_up_at = null, next_at = now()");
  expect(await until(young, delivered)).toMatchObject({ attempts: 4 });
  expect(received.length).toBe(4);
});

test("five failures in a row and the target is left alone; one attempt tries whether it is back, and then all is told", async () => {
  let status = 503;
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(status).end());
  const deliverer = deliver([webhook("pager", url)], { concurrency: 1, sweepMs: 1_000_000 });
  const runs: string[] = [];
  for (let i = 0; i < 9; i++) runs.push(await tell("pager"));
  const isOpen = async () => (await deliverer.telemetry.targetOpen.get()).values[0]?.value;
  deliverer.wake();
  await expect.poll(isOpen, EVENTUALLY).toBe(1);
  deliverer.advance(29_000);
  await deliverer.idle();
  expect(received.length).toBe(5);
  deliverer.advance(2_000);
  deliverer.wake();
  await until(runs[5] ?? "", failedTimes(1));
  expect(received.length).toBe(6);
  await deliverer.idle();
  // The second rest is twice as long.
  deliverer.advance(59_000);
  await deliverer.idle();
  expect(received.length).toBe(6);
  status = 200;
  deliverer.advance(2_000);
  deliverer.wake();
  await Promise.all(runs.slice(6).map((run) => until(run, delivered)));
  await expect.poll(isOpen, EVENTUALLY).toBe(0);
  await hurry();
  deliverer.wake();
  await Promise.all(runs.map((run) => until(run, delivered)));
  expect(received.length).toBe(15);
});

test("what waits for a target that is left alone is given up after three days too, asked or not", async () => {
  const { url, received } = await listenForEvents((_one, response) => response.writeHead(500).end());
  const deliverer = deliver([webhook("pager", url)], { concurrency: 1, sweepMs: 1_000_000 });
  const runs: string[] = [];
  for (let i = 0; i < 7; i++) runs.push(await tell("pager"));
  deliverer.wake();
  await until(runs[4] ?? "", failedTimes(1));
  await sql.query("update touchstone.outbox set created_at = now() - interval '3 days'");
  deliverer.wake();
  const ends = await Promise.all(runs.map((run) => until(run, givenUp)));
  expect(ends.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1, 0, 0]);
  expect(ends.at(-1)?.lastError).toBe("its target was not answering");
  expect(received.length).toBe(5);
  await expect.poll(() => countOf(deliverer.telemetry, "given_up"), EVENTUALLY).toBe(7);
});

test("a target that nobody has configured is reported, keeps its events, and gets them once it is there", async () => {
  const { url, received } = await listenForEvents(ok);
  const other = await listenForEvents(ok);
  const before = deliver([webhook("other", other.url)], { concurrency: 1 });
  const runs = [await tell("pager"), await tell("other", "pager")];
  expect(await until(runs[0] ?? "", ({ lastError }) => lastError !== null)).toMatchObject({
    lastError: "no notification target named pager is configured",
    givenUpAt: null,
  });
  await until(runs[1] ?? "", delivered);
  await expect.poll(() => countOf(before.telemetry, "unknown_target"), EVENTUALLY).toBe(1);
  before.advance(61_000);
  await expect.poll(() => countOf(before.telemetry, "unknown_target"), EVENTUALLY).toBe(2);
  deliver([webhook("pager", url)]);
  const told = (delivery: DeliveryView) => delivery.target === "pager" && delivered(delivery);
  await Promise.all(runs.map((run) => until(run, told)));
  expect(received.length).toBe(2);
});

test("what a target does not want is not sent to it", async () => {
  const { url, received } = await listenForEvents(ok);
  const { telemetry } = deliver([webhook("pager", url, { events: ["run.done"] })]);
  const run = await tell("pager");
  expect(await until(run, givenUp)).toMatchObject({ lastError: "the target does not want run.cancelled" });
  expect(received).toEqual([]);
  expect(await countOf(telemetry, "not_wanted")).toBe(1);
});

test("two workers at once tell each event once", async () => {
  const { url, received } = await listenForEvents(ok);
  deliver([webhook("pager", url)]);
  deliver([webhook("pager", url)]);
  const runs = await Promise.all(Array.from({ length: 40 }, () => tell("pager")));
  await expect.poll(async () => (await store.outboxLag()).waiting, EVENTUALLY).toBe(0);
  expect(runs.length).toBe(received.length);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(40);
});

test("a record that is away ends nothing: deliveries go on when it is back", async () => {
  const { url } = await listenForEvents(ok);
  let isAway = true;
  const flaky: Store = {
    ...store,
    claimDeliveries: (...of) =>
      isAway ? Promise.reject(new TouchstoneError("store_unavailable", "away")) : store.claimDeliveries(...of),
  };
  const { telemetry } = deliver([webhook("pager", url)], {}, flaky);
  const run = await tell("pager");
  await expect
    .poll(async () => (await telemetry.sweepErrors.get()).values[0]?.value ?? 0, EVENTUALLY)
    .toBeGreaterThan(1);
  isAway = false;
  expect(await until(run, delivered)).toMatchObject({ attempts: 1 });
});

test("whatever ends a run here wakes the deliverer, long before its next sweep", async () => {
  const { url } = await listenForEvents(ok);
  const deliverer = deliver([webhook("pager", url)], { sweepMs: 1_000_000 });
  const announcing = announceEvents(store, () => deliverer.wake());
  const place = { namespace: "shop", name: "agent" };
  const start = async (revision: string | null = null): Promise<string> => {
    const rollout = revision === null ? null : { ...place, revision };
    const { run } = await announcing.startRun({
      project: "default",
      requestDigest: revision ?? "d",
      rollout,
      idempotency: null,
      actor: "a test",
      admit: () => undefined,
      build: (now) => ({ run: runOf({ id: `run_${(ids += 1)}`, notify: ["pager"], rollout }), dueAt: now }),
    });
    return run.run.id;
  };
  const claim = async (id: string, leaseSeconds = 30) => {
    const claimed = await announcing.claimRun("w", leaseSeconds, id);
    if (claimed === null) throw new Error(`${id} was not due`);
    return claimed;
  };

  const cancelled = await start();
  await announcing.cancelRun("default", cancelled, "not wanted", "a test");
  await until(cancelled, delivered);

  const failed = await start();
  await announcing.failRun(await claim(failed), "internal", "a bug");
  await until(failed, delivered);

  const done = await start();
  const claimed = await claim(done);
  await announcing.storeLook(claimed, {
    at: claimed.now,
    decision: "pause",
    summary: "pause",
    score: null,
    report: '{"reasons":[]}',
    state: { v: 2, looks: 1, metrics: {}, digest: "sha256:0", sampleRatio: null },
    nextAt: null,
  });
  await until(done, delivered);

  const stored = await announcing.readRun("default", done);
  await announcing.overrideRun("default", done, {
    verdict: "promote",
    reason: "agreed with the customer",
    actor: "ann",
    expectedVersion: stored?.version ?? -1,
    idempotency: null,
  });
  await until(done, (delivery) => delivery.type === "run.overridden" && delivered(delivery));

  const superseded = await start("1");
  await start("2");
  await until(superseded, delivered);

  const crashed = await start();
  for (let i = 0; i < MOST_CLAIMS; i++) await claim(crashed, 0);
  await announcing.endCrashLoops();
  expect(await until(crashed, delivered)).toMatchObject({ type: "run.failed" });
});
