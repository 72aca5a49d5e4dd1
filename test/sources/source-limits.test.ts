import { expect, test } from "vitest";
import type { AttemptOutcome, Release } from "../../src/sources/admission.ts";
import { createAdmission, type ObserveLimits, type SourceLimits } from "../../src/sources/source-limits.ts";

const SIGNAL = new AbortController().signal;
const OK: AttemptOutcome = { kind: "ok" };
const DOWN: AttemptOutcome = {
  kind: "error",
  code: "source_unavailable",
  detail: "prom answered 503",
  retryAt: null,
  retried: false,
};
const REFUSED: AttemptOutcome = { ...DOWN, code: "source_refused" };

/** A source with these limits, and what was observed of it. */
function limited(own: Partial<SourceLimits> = {}) {
  const seen: string[] = [];
  const observe: ObserveLimits = {
    waited: () => undefined,
    inProgress: (_, queries) => void seen.push(`running ${queries}`),
    retried: (_, code) => void seen.push(`retried ${code}`),
    throttled: () => void seen.push("throttled"),
    breaker: (_, state) => void seen.push(state),
  };
  const limits = { concurrency: 2, rate: null, breakAfter: 3, breakForMs: 10_000, ...own };
  let passed = 0;
  const now = () => performance.timeOrigin + performance.now() + passed;
  const admit = createAdmission(new Map([["prom", limits]]), observe, now);
  return {
    admit: (signal = SIGNAL) => admit("prom", signal),
    pass: (ms: number) => void (passed += ms),
    seen,
    breakers: () => seen.filter((what) => ["closed", "half_open", "open"].includes(what)),
  };
}

/** Whether a turn has come by now: what is settled is settled within a round of the loop. */
async function isWaiting(turn: Promise<unknown>): Promise<boolean> {
  const later = new Promise<"later">((resolve) => setImmediate(() => resolve("later")));
  return (await Promise.race([turn, later])) === "later";
}

async function fail(admit: () => Promise<Release>, times: number): Promise<void> {
  for (let i = 0; i < times; i++) (await admit())(DOWN);
}

test("no more at once than allowed, in the order of asking", async () => {
  const { admit } = limited();
  const [first, second] = await Promise.all([admit(), admit()]);
  const order: string[] = [];
  const third = admit().then((release) => (order.push("third"), release));
  const fourth = admit().then((release) => (order.push("fourth"), release));
  expect(await isWaiting(third)).toBe(true);
  first(OK);
  (await third)(OK);
  (await fourth)(OK);
  second(OK);
  expect(order).toEqual(["third", "fourth"]);
});

test("who gives up waiting leaves the place to the next", async () => {
  const { admit } = limited({ concurrency: 1 });
  const first = await admit();
  const controller = new AbortController();
  const second = admit(controller.signal);
  const third = admit();
  controller.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  await expect(admit(controller.signal)).rejects.toThrow("enough");
  first(OK);
  (await third)(OK);
});

test("attempts begin no faster than the rate, evenly spaced", async () => {
  const { admit } = limited({ concurrency: 100, rate: 50 });
  const started = performance.now();
  const at = await Promise.all(
    Array.from({ length: 11 }, () => admit().then((release) => (release(OK), performance.now()))),
  );
  expect((at.at(-1) ?? 0) - started).toBeGreaterThanOrEqual(199);
  for (let i = 0; i + 5 < at.length; i++) expect((at[i + 5] ?? 0) - (at[i] ?? 0)).toBeGreaterThan(80);
});

test("after enough queries in a row without an answer the breaker opens and says since when and why", async () => {
  const { admit, breakers } = limited();
  await fail(admit, 2);
  (await admit())(OK);
  await fail(admit, 3);
  const refused = admit();
  await expect(refused).rejects.toMatchObject({ code: "source_unavailable", retryAt: null });
  await expect(refused).rejects.toThrow(
    /^prom is not asked since \d{4}-.*Z, after 3 queries in a row without an answer; it is tried again at \d{4}-.*Z; the last one: prom answered 503$/,
  );
  expect(breakers()).toEqual(["closed", "open"]);
});

test("attempts that are followed by another, refusals and queries that were given up do not open it", async () => {
  const { admit, breakers, seen } = limited();
  for (let i = 0; i < 10; i++) (await admit())({ ...DOWN, retried: true });
  for (let i = 0; i < 2; i++) (await admit())(DOWN);
  (await admit())(REFUSED);
  for (let i = 0; i < 2; i++) (await admit())(DOWN);
  for (let i = 0; i < 10; i++) (await admit())({ kind: "cancelled" });
  (await admit())(OK);
  expect(breakers()).toEqual(["closed"]);
  expect(seen.filter((what) => what === "retried source_unavailable").length).toBe(10);
});

test("when its time is over one query finds out, and the others wait for what it finds", async () => {
  const { admit, breakers, pass } = limited();
  await fail(admit, 3);
  pass(10_000);
  const probe = await admit();
  const others = [admit(), admit()];
  expect(await isWaiting(Promise.any(others))).toBe(true);
  probe(OK);
  for (const release of await Promise.all(others)) release(OK);
  expect(breakers()).toEqual(["closed", "open", "half_open", "closed"]);
});

test("a probe that fails opens it again at once, for those that waited too", async () => {
  const { admit, breakers, pass } = limited();
  await fail(admit, 3);
  pass(10_000);
  const probe = await admit();
  const other = admit();
  probe({ ...DOWN, retried: true });
  await expect(other).rejects.toThrow(/is not asked since/);
  await expect(admit()).rejects.toThrow(/is not asked since/);
  expect(breakers()).toEqual(["closed", "open", "half_open", "open"]);
});

test("a probe that was given up leaves the finding out to the next", async () => {
  const { admit, pass, breakers } = limited();
  await fail(admit, 3);
  pass(10_000);
  const probe = await admit();
  const next = admit();
  probe({ kind: "cancelled" });
  (await next)(OK);
  expect(breakers()).toEqual(["closed", "open", "half_open", "half_open", "closed"]);
});

test("what waits when the breaker opens or a pause begins is not left waiting", async () => {
  for (const outcome of [DOWN, { ...REFUSED, code: "source_throttled" as const, retryAt: Date.now() + 60_000 }]) {
    const { admit, seen } = limited({ concurrency: 1, breakAfter: 1 });
    const first = await admit();
    const waiting = Promise.allSettled([admit(), admit()]);
    first(outcome);
    const reason = expect.objectContaining({ message: expect.stringMatching(/is not asked|asks not to be asked/) });
    expect(await waiting).toEqual([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ]);
    expect(seen.includes("throttled")).toBe(outcome !== DOWN);
  }
});

test("a source without limits is a bug, not a source without limits", async () => {
  const admit = createAdmission(new Map(), limitedObserve(), Date.now);
  await expect(admit("other", SIGNAL)).rejects.toThrow(RangeError);
});

function limitedObserve(): ObserveLimits {
  const nothing = () => undefined;
  return { waited: nothing, inProgress: nothing, retried: nothing, throttled: nothing, breaker: nothing };
}
