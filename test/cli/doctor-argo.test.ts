import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codesOf, diagnose, DEPLOY, writeManifest } from "./doctor.ts";

const shipped = (name: string) => fileURLToPath(new URL(`argo/${name}.yaml`, DEPLOY));
const STEP = shipped("analysis-template-step");
const BACKGROUND = shipped("analysis-template-background");
const KAYENTA = shipped("analysis-template-kayenta");
const ROLLOUT = shipped("rollout");
const EXPERIMENT = shipped("rollout-experiment");
const ALONE = shipped("experiment");
const ALL = [STEP, BACKGROUND, KAYENTA, ROLLOUT, EXPERIMENT, ALONE];

test("what we ship has no known trap", async () => {
  expect(await diagnose("argo", ALL)).toEqual({ code: 0, err: "", out: "no known trap in 6 objects\n" });
});

/** What is shipped with one line changed; the trap that this is. */
const TRAPS: readonly [trap: string, file: string, from: string | RegExp, to: string][] = [
  ["inconclusive-limit", STEP, "count: 1 ", "count: 1\n    inconclusiveLimit: 1 "],
  ["failure-limit", STEP, "count: 1 ", 'count: 2\n    failureLimit: "1"\n    interval: 1m '],
  ["consecutive-success-limit", STEP, "count: 1 ", "count: 1\n    consecutiveSuccessLimit: 1 "],
  ["endless-step", STEP, "count: 1 ", "interval: 30s "],
  ["error-limit", STEP, /consecutiveErrorLimit: 360.*/, "consecutiveErrorLimit: 59"],
  ["error-limit", STEP, /consecutiveErrorLimit: 360.*/, ""],
  ["error-limit", BACKGROUND, /consecutiveErrorLimit: 10.*/, ""],
  ["error-limit", KAYENTA, "consecutiveErrorLimit: 30", "consecutiveErrorLimit: 4"],
  ["guard-ends", BACKGROUND, "interval: 1m ", "interval: 1m\n    count: 10 "],
  ["guard-looks-once", BACKGROUND, "interval: 1m ", ""],
  ["guard-needs-continue", BACKGROUND, ' || result startsWith "continue"', ""],
  ["no-success-condition", STEP, 'successCondition: result startsWith "promote"', ""],
  ["no-failure-condition", STEP, 'failureCondition: result startsWith "rollback"', ""],
  ["summary-compared", STEP, 'result startsWith "promote"', 'result == "promote"'],
  ["summary-compared", STEP, 'result startsWith "rollback"', 'result.verdict == "rollback"'],
  ["whole-body", STEP, 'jsonPath: "{$.summary}"', 'jsonPath: "{$}"'],
  ["whole-body", STEP, 'jsonPath: "{$.summary}"', ""],
  ["path-without-braces", STEP, '"{$.summary}"', "$.summary"],
  ["unknown-placeholder", STEP, "{{args.step}}", "{{args.steps}}"],
  ["unknown-placeholder", STEP, "{{args.step}}", "{{ prompt }}"],
  ["not-post", STEP, "method: POST", "method: PUT"],
  ["not-post", STEP, "method: POST", ""],
  ["no-json-body", STEP, / +jsonBody:\n(?: {10}.*\n)+/, ""],
  ["body-incomplete", STEP, 'revision: "{{args.revision}}"', ""],
  ["argument-in-url", STEP, '/v1/argo/verdict"', '/v1/argo/verdict?for={{args.service}}"'],
  ["timeout", STEP, "timeoutSeconds: 10", "timeoutSeconds: 60"],
  ["ignored-authentication", STEP, "method: POST", "authentication: { sigv4: { region: eu } }\n        method: POST"],
  ["token-in-plain-text", STEP, "Bearer {{args.judge-token}}", "Bearer abc"],
  ["lookback-without-delay", KAYENTA, /initialDelay: 10s.*/, ""],
  ["no-window", KAYENTA, "lookback: true", ""],
  ["no-threshold", KAYENTA, "threshold: {", "thresholds: {"],
  ["threshold-order", KAYENTA, "pass: 90", "pass: 50"],
  ["misplaced", KAYENTA, "lookback: true", "lookback: true\n        interval: 5m"],
  ["kayenta-path", KAYENTA, '/kayenta"', '/kayenta/"'],
  ["unescaped", KAYENTA, "metricsAccountName: default", "metricsAccountName: my metrics"],
  ["arms-swapped", ROLLOUT, "podTemplateHashValue: Stable", "podTemplateHashValue: Latest"],
  ["argument-missing", ROLLOUT, / *- \{ name: revision.*\n/, ""],
  ["guard-as-gate", ROLLOUT, "templateName: touchstone-step", "templateName: touchstone-background"],
  ["gate-as-guard", ROLLOUT, "templateName: touchstone-background", "templateName: touchstone-step"],
  ["guard-without-gate", ROLLOUT, /steps:\n(?: {6}.*\n)+/, "steps: [{ setWeight: 20 }]\n"],
  [
    "rollout-hash-in-experiment",
    EXPERIMENT,
    'value: "{{templates.candidate.podTemplateHash}}"',
    "valueFrom: { podTemplateHashValue: Latest }",
  ],
  ["experiment-never-ends", EXPERIMENT, "requiredForCompletion: true", ""],
  ["experiment-never-ends", ALONE, "requiredForCompletion: true", ""],
  ["argument-missing", ALONE, / *- \{ name: revision.*\n/, ""],
];

test.each(TRAPS)("%s is named", async (trap, file, from, to) => {
  const text = await readFile(file, "utf8");
  expect(text).toMatch(from);
  const changed = await writeManifest(text.replace(from, to));
  const diagnosed = await diagnose("argo", [...ALL.filter((one) => one !== file), changed]);
  expect(diagnosed.code).toBe(1);
  expect(new Set(codesOf(diagnosed.out)), diagnosed.out).toEqual(new Set([trap]));
});

test("the errors that a template allows must be enough for the plan of its analysis", async () => {
  const analysis = await writeManifest(
    `apiVersion: touchstone/v1
kind: Analysis
metadata: { name: support-agent }
spec:
  unit: task
  plan: { mode: scheduled, duration: 2h }
  metrics: [{ name: failures, kind: errors, source: files, query: { value: failed, unit: task, at: at } }]
`,
  );
  const diagnosed = await diagnose("argo", [STEP], ["-f", analysis]);
  expect(diagnosed.out).toMatch(
    /error-limit: .*360 of them abort.*a plan of 7260 s and 10 minutes must fit in: 786 or more\n/,
  );
});

test("a trap is printed with its file, its place and its line, and as JSON", async () => {
  const file = await writeManifest((await readFile(STEP, "utf8")).replace('"{$.summary}"', "$.summary"));
  const { out } = await diagnose("argo", [file]);
  expect(out).toBe(
    `${file}: AnalysisTemplate touchstone-step spec.metrics[0].provider.web.jsonPath (line 43)\n  path-without-braces: $.summary is plain text to Argo and never matches; write {$.summary}\n1 trap in 1 object\n`,
  );
  const json = await diagnose("argo", [file], ["-o", "json"]);
  expect(JSON.parse(json.out)).toEqual([
    expect.objectContaining({
      code: "path-without-braces",
      file,
      line: "(line 43)",
      pointer: "/spec/metrics/0/provider/web/jsonPath",
    }),
  ]);
});

test("metrics of other providers are left alone", async () => {
  const file = await writeManifest(
    "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: { name: other }\nspec: { metrics: [{ name: a, provider: { web: { url: http://elsewhere } } }, { name: b, provider: { prometheus: { query: up } } }] }\n",
  );
  expect(await diagnose("argo", [file])).toMatchObject({ code: 0, out: "no known trap in 1 object\n" });
});

test("what is no manifest is refused with the place", async () => {
  const template = await writeManifest(
    "kind: AnalysisTemplate\nmetadata: { name: a }\nspec: { metrics: [{ name: 7 }] }\n",
  );
  expect(await diagnose("argo", [template])).toMatchObject({
    code: 64,
    err: expect.stringContaining("spec.metrics[0].name"),
  });
  const service = await writeManifest("kind: Service\nmetadata: { name: a }\n");
  expect(await diagnose("argo", [service])).toMatchObject({
    code: 64,
    err: expect.stringContaining("holds nothing of Argo Rollouts"),
  });
  expect(await diagnose("argo", ["/nowhere.yaml"])).toMatchObject({ code: 69 });
  expect(await diagnose("spinnaker", [STEP])).toMatchObject({ code: 64 });
});
