import { expect, test } from "vitest";
import { timeParts } from "../../src/worker/timed-parts.ts";

test("parts stand in the order in which they began, each within the part that called it", () => {
  const { watch, parts } = timeParts();
  const before = Date.now();
  const done = watch("judge", "v2", () => {
    watch("metric", "quality", () => watch("test", "mean", () => undefined));
    expect(() =>
      watch("metric", "latency", () => {
        throw new RangeError("a bug");
      }),
    ).toThrow(new RangeError("a bug"));
    return "done";
  });
  watch("judge", "v3", () => undefined);
  expect(done).toBe("done");
  expect(parts.map(({ part, name, within }) => [part, name, within])).toEqual([
    ["judge", "v2", null],
    ["metric", "quality", 0],
    ["test", "mean", 1],
    ["metric", "latency", 0],
    ["judge", "v3", null],
  ]);
  for (const { startMs, endMs } of parts) {
    expect(startMs).toBeGreaterThanOrEqual(before - 1);
    expect(endMs).toBeGreaterThanOrEqual(startMs);
    expect(endMs).toBeLessThanOrEqual(Date.now() + 1);
  }
  const [judged, metric, mean] = parts;
  expect(mean?.endMs).toBeLessThanOrEqual(metric?.endMs ?? 0);
  expect(metric?.endMs).toBeLessThanOrEqual(judged?.endMs ?? 0);
});
