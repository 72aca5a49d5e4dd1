import { expect, test } from "vitest";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { analysisOfStage } from "../../src/model/resolve-stages.ts";
import { analysisDigest } from "../../src/model/analysis.ts";

const written = (stages: string, spec = "", plan = "mode: scheduled, duration: 1h, every: 5m") => `
apiVersion: touchstone/v1
kind: Analysis
metadata: { name: staged }
spec:
  unit: session
  args: { region: all }
  plan: { ${plan} }
  ${spec}
  stages:
${stages.replaceAll(/^/gm, "  ")}
  metrics:
  - { name: quality, kind: score, scale: [1, 5], source: files, query: { value: score, unit: session, at: at } }
`;
const read = (...parts: Parameters<typeof written>) => readAnalysis(written(...parts), "the test");

test("a stage takes over the plan, the policy and the arguments that it names, and leaves the rest", () => {
  const { document, analysis } =
    read(`- { name: "1", weight: 1%, duration: 10m, every: 1m, minDuration: 5m, minUnits: 50 }
- { name: "5", weight: 5% }
- { name: "100", weight: 100%, duration: 2h, policy: critical-only, args: { region: eu }, carry: false }`);
  expect(analysis.stages).toMatchObject([
    { name: "1", weight: 0.01, durationSeconds: 600, everySeconds: 60, minUnits: 50, carry: false },
    { name: "5", weight: 0.05, durationSeconds: 3600, everySeconds: 300, minUnits: 30, policy: "any", carry: true },
    { name: "100", weight: 1, durationSeconds: 7200, policy: "critical-only", args: { region: "eu" }, carry: false },
  ]);
  const first = analysisOfStage(document, analysis, "1");
  expect(first.plan).toEqual({
    ...analysis.plan,
    durationSeconds: 600,
    everySeconds: 60,
    minDurationSeconds: 300,
    minUnits: 50,
  });
  expect(first.metrics).toEqual(analysis.metrics.map((metric) => ({ ...metric, minUnits: 50 })));
  expect(analysisOfStage(document, analysis, "5")).toEqual(analysis);
  expect(analysisOfStage(document, analysis, "100")).toMatchObject({ policy: "critical-only", args: { region: "eu" } });
});

test("the shares of the rollback budget are known beforehand and add up to the whole", () => {
  const { analysis } = read(
    ["a", "b", "c", "d", "e"].map((name, i) => `- { name: ${name}, duration: ${10 + 50 * i}m }`).join("\n"),
  );
  const shares = analysis.stages?.map(({ rollbackShare }) => rollbackShare) ?? [];
  expect(new Set(shares)).toEqual(new Set([0.2]));
});

test("an analysis without stages is in force as before, under the digest that it had", () => {
  const { analysis } = readAnalysis(written("- { name: a }").replace(/ {2}stages:\n.*\n/, ""), "the test");
  expect("stages" in analysis).toBe(false);
  expect(analysisDigest(analysis)).not.toBe(analysisDigest(read("- { name: a }").analysis));
});

test("evidence is not carried into rings, nor where the units are users, who move from one arm to the other", () => {
  const carry = (stages: string, spec?: string) => read(stages, spec).analysis.stages?.map((stage) => stage.carry);
  expect(
    carry("- { name: a }\n- { name: eu, group: regions }\n- { name: us, group: regions }\n- { name: all }"),
  ).toEqual([false, false, false, true]);
  const users = written("- { name: a }\n- { name: b }\n- { name: c, carry: true }").replace(
    "unit: session\n",
    "unit: user\n",
  );
  expect(readAnalysis(users, "the test").analysis.stages?.map((stage) => stage.carry)).toEqual([false, false, true]);
});

test.each([
  ["- { name: a }\n- { name: a }", /stages\[1\]\.name another stage is named a/],
  ["- { name: a, weight: 0% }", /stages\[0\]\.weight 0% is not a percentage above 0% and up to 100%/],
  ["- { name: a, weight: 120% }", /stages\[0\]\.weight 120% is not/],
  ["- { name: a, duration: 4m }", /stages\[0\]\.every is longer than the duration without its warm-up/],
  [
    "- { name: a, minDuration: 2h }",
    /stages\[0\]\.minDuration is longer than the duration, so that no run could promote/,
  ],
  [
    "- { name: a, policy: critical-only }",
    /stages\[0\]\.policy is critical-only, but no metric is critical/,
    "",
    "mode: scheduled",
    "required",
  ],
  ["- { name: a, args: { tenant: x } }", /stages\[0\]\.args\.tenant is not an argument that spec\.args declares/],
  [
    "- { name: a, group: g }\n- { name: b }\n- { name: c, group: g }",
    /stages\[2\]\.group stages of the group g must stand next/,
  ],
  ["- { name: a, group: g, carry: true }", /stages\[0\]\.carry is true, but stages of a group never carry/],
  ["- { name: a, weigth: 5% }", /stages\[0\]/],
  ["- { name: a, every: 5m }", /stages\[0\]\.every is for the mode scheduled or continuous/, "", "mode: once"],
])(
  "%s is refused",
  (stages, message, spec = "", plan = "mode: scheduled, duration: 1h, every: 5m", tier = "critical") => {
    const text = written(stages, spec, plan).replace("kind: score,", `kind: score, tier: ${tier},`);
    expect(() => readAnalysis(text, "the test")).toThrow(message);
  },
);
