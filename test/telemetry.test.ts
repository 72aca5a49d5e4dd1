import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createTelemetry } from "../src/telemetry.ts";

const DOCS = readFileSync(new URL("../docs/telemetry.md", import.meta.url), "utf8");

const own = async () =>
  (await createTelemetry().registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith("touchstone_"));

/** Name and labels of each row of the table of metrics. */
const rows = [...DOCS.matchAll(/^\| `(touchstone_\w+)` \| ([\w, ]*)\|/gm)].map(([, name = "", labels = ""]) => ({
  name,
  labels: labels.trim() === "" ? [] : labels.trim().split(", "),
}));

/** The labels that the registry was told of, which its answers do not show as long as nothing was counted. */
function labelsOf(name: string): string[] {
  const metric: unknown = createTelemetry().registry.getSingleMetric(name);
  return metric !== null && typeof metric === "object" && "labelNames" in metric
    ? [...(metric.labelNames as string[])]
    : [];
}

test("the page lists every metric with its labels, and no other", async () => {
  const registered = (await own()).map(({ name }) => ({ name, labels: labelsOf(name) }));
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  expect(rows.length).toBeGreaterThan(15);
  expect(rows.toSorted(byName)).toEqual(registered.toSorted(byName));
});

test("no label can hold what a caller chose", () => {
  const bounded = new Set([
    "engine",
    "outcome",
    "status",
    "verdict",
    "decision",
    "mode",
    "source",
    "target",
    "code",
    "method",
    "route",
    "of",
  ]);
  expect([...new Set(rows.flatMap(({ labels }) => labels))].filter((label) => !bounded.has(label))).toEqual([]);
});

test("names follow the conventions: counters end in _total, what is measured in seconds in _seconds", async () => {
  for (const { name, type } of await own()) {
    expect(name.endsWith("_total"), name).toBe(String(type) === "counter");
    if (String(type) === "histogram") expect(name).toMatch(/_seconds$/);
  }
});

test("the alerts of the page ask only for metrics that exist", async () => {
  const names = (await own()).map(({ name }) => name);
  const asked = [...DOCS.matchAll(/expr:[\s\S]*?(?=\n {4}\w)/g)].flatMap(
    ([text]) => text.match(/touchstone_\w+/g) ?? [],
  );
  expect(asked.length).toBeGreaterThan(4);
  for (const name of asked) expect(names).toContain(name.replace(/_(?:count|sum|bucket)$/, ""));
});

test("what an alert counts is there from the start, so that the first one is a rise", async () => {
  const text = await createTelemetry().registry.metrics();
  expect(text).toMatch(/^touchstone_runs_total\{status="failed",verdict=""\} 0$/m);
  expect(text).toMatch(/^touchstone_store_duration_seconds_count\{outcome="store_unavailable"\} 0$/m);
});
