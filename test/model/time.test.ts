import { expect, test } from "vitest";
import { digestOf, canonicalJson } from "../../src/model/canonical.ts";
import { Duration, durationSeconds, epochSeconds, Instant, toDuration, toInstant } from "../../src/model/time.ts";
import { Version } from "../../src/model/version.ts";

test.each([
  ["90s", 90],
  ["30m", 1800],
  ["1h30m", 5400],
  ["500ms", 0.5],
  ["1.5h", 5400],
  ["2d", 172800],
])("%s lasts %d seconds", (text, seconds) => {
  expect(durationSeconds(text)).toBe(seconds);
});

test.each(["", "5", "m", "5 m", "-5m", "5y", "1h 30m"])("%j is no duration", (text) => {
  expect(Duration.safeParse(text).success).toBe(false);
  expect(() => durationSeconds(text)).toThrow(RangeError);
});

test("a duration is written in its largest whole unit", () => {
  expect([90, 1800, 3600, 86400, 0.5].map(toDuration)).toEqual(["90s", "30m", "1h", "1d", "0.5s"]);
});

test("an instant needs its zone and survives the way through seconds", () => {
  expect(Instant.safeParse("2026-11-20T08:00:00").success).toBe(false);
  expect(toInstant(epochSeconds("2026-11-20T09:00:00.125+01:00"))).toBe("2026-11-20T08:00:00.125Z");
});

test("canonical JSON does not depend on the order of keys, and refuses what JSON cannot hold", () => {
  expect(canonicalJson({ b: 1, a: [{ d: 1, c: null }] })).toBe('{"a":[{"c":null,"d":1}],"b":1}');
  expect(digestOf({ a: 1, b: 2 })).toBe(digestOf({ b: 2, a: 1 }));
  expect(() => canonicalJson({ p: Number.NaN })).toThrow(/p is NaN/);
});

test.each(['v2"} or vector(1) or x{a="', "a b", "", "v'1", "{{ version }}", "-rf", "v\n1", "ü"])(
  "the label %j is refused",
  (label) => {
    expect(Version.safeParse({ label }).success).toBe(false);
  },
);

test.each(["v1", "registry.example.com/agent:1.2.3@sha256_abc+build", "7f3c9e2"])(
  "the label %s is accepted",
  (label) => {
    expect(Version.safeParse({ label }).success).toBe(true);
  },
);
