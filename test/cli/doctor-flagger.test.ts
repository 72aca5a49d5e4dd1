import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codesOf, diagnose, DEPLOY, writeManifest } from "./doctor.ts";

const shipped = (name: string) => fileURLToPath(new URL(`flagger/${name}.yaml`, DEPLOY));
const HOOKS = shipped("canary");
const METRIC = shipped("canary-metric");

test("what we ship has no known trap", async () => {
  expect(await diagnose("flagger", [HOOKS, METRIC])).toEqual({ code: 0, err: "", out: "no known trap in 3 objects\n" });
});

/** The hook of a role, whole. */
const hook = (name: string) => new RegExp(`    - name: ${name}\\n(?: {6}.*\\n)+`);
const ANALYSIS = "metadata: { analysis: support-agent }";

/** What is shipped with one thing changed; the traps that this is. */
const TRAPS: readonly [traps: string, file: string, from: string | RegExp, to: string][] = [
  ["rollout-hook", HOOKS, "type: pre-rollout", "type: rollout"],
  ["rollout-hook", HOOKS, / *type: pre-rollout\n/, ""],
  ["rollback-inverted", HOOKS, "type: pre-rollout", "type: rollback"],
  ["rollback-inverted", HOOKS, "type: rollback", "type: confirm-rollout"],
  ["wrong-path", HOOKS, "type: confirm-promotion", "type: confirm-rollout"],
  ["shared-path rollback-inverted role-missing", HOOKS, "/v1/flagger/promote", "/v1/flagger/rollback"],
  ["alert-every-tick", HOOKS, / *muteAlert: true.*\n/, ""],
  ["retries", HOOKS, "type: confirm-promotion", "type: confirm-promotion\n      retries: 3"],
  ["no-analysis", HOOKS, ANALYSIS, ""],
  ["analyses-differ", HOOKS, ANALYSIS, "metadata: { analysis: another }"],
  ["timeouts", HOOKS, "interval: 1m", "interval: 20s"],
  ...["start", "rollback", "advance", "promote", "finish"].map((role): [string, string, RegExp, string] => [
    "role-missing",
    HOOKS,
    hook(`judge-${role}`),
    "",
  ]),
  ["low-threshold", METRIC, "threshold: 5", "threshold: 1"],
  ["threshold-range", METRIC, "{ min: 0 }", "{ min: 1 }"],
  ["threshold-range", METRIC, "{ min: 0 }", "{ max: 1 }"],
  ["threshold-range", METRIC, "{ min: 0 }", "{ min: -1 }"],
  ["variable-missing", METRIC, "templateVariables: { analysis: support-agent }", ""],
  ["provider-type", METRIC, "type: prometheus", "type: graphite"],
  ["provider-address", METRIC, "8080/flagger", "8080"],
  ["query-incomplete", METRIC, 'name="{{ name }}",', ""],
];

test.each(TRAPS)("%s is named", async (traps, file, from, to) => {
  const text = await readFile(file, "utf8");
  expect(text).toMatch(from);
  const diagnosed = await diagnose("flagger", [await writeManifest(text.replace(from, to))]);
  expect(diagnosed.code).toBe(1);
  expect(new Set(codesOf(diagnosed.out)), diagnosed.out).toEqual(new Set(traps.split(" ")));
});

test("a rollout by iterations needs no gate for traffic, which Flagger never asks", async () => {
  const text = (await readFile(HOOKS, "utf8"))
    .replace(hook("judge-advance"), "")
    .replace("maxWeight: 50", "iterations: 10");
  expect(await diagnose("flagger", [await writeManifest(text)])).toMatchObject({ code: 0 });
});

test("hooks that ask others are left alone", async () => {
  const text = (await readFile(HOOKS, "utf8")).replace(
    "    webhooks:\n",
    "    webhooks:\n    - { name: load-test, type: rollout, url: http://flagger-loadtester.test/, timeout: 5s }\n",
  );
  expect(await diagnose("flagger", [await writeManifest(text)])).toMatchObject({ code: 0 });
});

test("a canary that Flagger would not take is refused with the place", async () => {
  const text = (await readFile(HOOKS, "utf8")).replace("timeout: 5s", 'timeout: "5"');
  expect(await diagnose("flagger", [await writeManifest(text)])).toMatchObject({
    code: 64,
    err: expect.stringContaining("spec.analysis.webhooks[0].timeout must be a duration with its unit"),
  });
});
