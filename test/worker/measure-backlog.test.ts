import { expect, onTestFinished, test } from "vitest";
import { TouchstoneError } from "../../src/errors.ts";
import { createLogger } from "../../src/log.ts";
import { createTelemetry } from "../../src/telemetry.ts";
import { measureBacklog } from "../../src/worker/measure-backlog.ts";

test("what waits is measured again and again, and what does not answer keeps its last value", async () => {
  const telemetry = createTelemetry();
  let asked = 0;
  let away = false;
  const answer = <T>(value: T): Promise<T> =>
    away ? Promise.reject(new TouchstoneError("store_unavailable", "away")) : Promise.resolve(value);
  const backlog = measureBacklog(
    {
      store: { backlog: () => ((asked += 1), answer({ live: 5, due: 2, oldestSeconds: 40 })) },
      doorbell: {
        health: () => ({ ok: !away, detail: "" }),
        backlog: () => answer({ depth: 3, oldestSeconds: 1.5 }),
      },
      telemetry,
      log: createLogger("silent"),
    },
    5,
  );
  onTestFinished(() => backlog.stop());
  const text = () => telemetry.registry.metrics();
  await expect.poll(text).toMatch(/^touchstone_doorbell_depth 3$/m);
  const expected = [
    "touchstone_runs_live 5",
    "touchstone_runs_due 2",
    "touchstone_oldest_due_run_seconds 40",
    "touchstone_doorbell_oldest_ring_seconds 1.5",
  ];
  for (const line of [...expected, "touchstone_doorbell_up 1"]) expect(await text()).toContain(`\n${line}\n`);
  away = true;
  const before = asked;
  await expect.poll(() => asked).toBeGreaterThan(before + 2);
  for (const line of [...expected, "touchstone_doorbell_up 0"]) expect(await text()).toContain(`\n${line}\n`);
  await backlog.stop();
  const stopped = asked;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(asked).toBe(stopped);
});

test("a count that takes long is asked for more rarely, so that many processes together do not keep the record busy", async () => {
  const telemetry = createTelemetry();
  const asked: number[] = [];
  const backlog = measureBacklog(
    {
      store: {
        backlog: async () => {
          asked.push(performance.now());
          await new Promise((resolve) => setTimeout(resolve, 10));
          return { live: 100_000, due: 0, oldestSeconds: 0 };
        },
      },
      doorbell: {
        health: () => ({ ok: true, detail: "" }),
        backlog: () => Promise.resolve({ depth: 0, oldestSeconds: 0 }),
      },
      telemetry,
      log: createLogger("silent"),
    },
    1,
  );
  onTestFinished(() => backlog.stop());
  await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(3);
  // Fifty times as long as it took, which timers may cut by a millisecond.
  for (const n of [1, 2]) expect((asked[n] ?? 0) - (asked[n - 1] ?? 0)).toBeGreaterThan(450);
});
