import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findProgram } from "./servers.ts";

const promtool = findProgram("promtool");
const DOCS = readFileSync(new URL("../../docs/telemetry.md", import.meta.url), "utf8");
const RULES = /```yaml\n(groups:[\s\S]*?)```/.exec(DOCS)?.[1] ?? "";

/** What a Prometheus would have seen, a value a minute, and which alerts fire when. */
const CASES = `
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - { series: 'touchstone_oldest_due_run_seconds{instance="api"}', values: '0 0 30 90 150 210 270 0 0' }
  - { series: 'touchstone_oldest_due_run_seconds{instance="worker"}', values: '0x8' }
  alert_rule_test:
  - { eval_time: 4m, alertname: TouchstoneRunsNotTaken, exp_alerts: [] }
  - { eval_time: 6m, alertname: TouchstoneRunsNotTaken, exp_alerts: [{ exp_annotations: { summary: SUMMARY_0 } }] }
  - { eval_time: 8m, alertname: TouchstoneRunsNotTaken, exp_alerts: [] }
- interval: 1m
  input_series:
  - { series: 'touchstone_store_duration_seconds_count{outcome="ok"}', values: '0+600x30' }
  - { series: 'touchstone_store_duration_seconds_count{outcome="store_unavailable"}', values: '0x5 1+1x20' }
  alert_rule_test:
  - { eval_time: 5m, alertname: TouchstoneRecordUnavailable, exp_alerts: [] }
  - { eval_time: 15m, alertname: TouchstoneRecordUnavailable, exp_alerts: [{ exp_annotations: { summary: SUMMARY_1 } }] }
- interval: 1m
  input_series:
  - { series: 'touchstone_source_query_duration_seconds_count{source="prometheus", outcome="ok"}', values: '0+10x40' }
  - { series: 'touchstone_source_query_duration_seconds_count{source="prometheus", outcome="source_timeout"}', values: '0+9x40' }
  - { series: 'touchstone_source_query_duration_seconds_count{source="evals", outcome="source_unavailable"}', values: '0+10x40' }
  - { series: 'touchstone_source_query_duration_seconds_count{source="idle", outcome="cancelled"}', values: '0+10x40' }
  alert_rule_test:
  - eval_time: 30m
    alertname: TouchstoneSourceFails
    exp_alerts: [{ exp_labels: { source: evals }, exp_annotations: { summary: SUMMARY_2 } }]
- interval: 1m
  input_series:
  - { series: 'touchstone_runs_total{status="done", verdict="rollback"}', values: '0+1x30' }
  - { series: 'touchstone_runs_total{status="failed", verdict=""}', values: '0x9 1x30' }
  alert_rule_test:
  - { eval_time: 9m, alertname: TouchstoneRunsFail, exp_alerts: [] }
  - { eval_time: 12m, alertname: TouchstoneRunsFail, exp_alerts: [{ exp_annotations: { summary: SUMMARY_3 } }] }
  - { eval_time: 30m, alertname: TouchstoneRunsFail, exp_alerts: [] }
`;

test.skipIf(promtool === null)("the alerts of the page fire when they should, and only then", () => {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-alerts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const summaries = [...RULES.matchAll(/summary: (.*)$/gm)].map(([, text = ""]) =>
    JSON.stringify(text.replace("{{ $labels.source }}", "evals")),
  );
  expect(summaries.length).toBe(4);
  writeFileSync(join(folder, "rules.yaml"), RULES);
  writeFileSync(
    join(folder, "cases.yaml"),
    summaries.reduce((text, summary, index) => text.replace(`SUMMARY_${index}`, () => summary), CASES),
  );
  const { status, stdout, stderr } = spawnSync(promtool ?? "", ["test", "rules", "cases.yaml"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(status, `${stdout}${stderr}`).toBe(0);
});
