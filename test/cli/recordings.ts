import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { seeded, standardNormal } from "../../src/stats/random.ts";

export type Line = Readonly<Record<string, unknown>>;

export const START = 1_800_000_000;

/** A folder for the files of a suite, gone after it. */
export function useFolder(): (name: string, content: string | readonly Line[]) => Promise<string> {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "touchstone-replay-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return async (name, content) => {
    const path = join(folder, name);
    await writeFile(
      path,
      typeof content === "string" ? content : content.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
    return path;
  };
}

export function analysisText(plan: string, ...metrics: string[]): string {
  return `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: replayed }\nspec:\n  unit: session\n  plan: ${plan}\n  metrics:\n${metrics.map((metric) => `  - ${metric}\n`).join("")}`;
}

/** Half an hour of sessions, ten a minute, with a look every three minutes. */
export const MINUTES = 30;
const PER_MINUTE = 10;
export const PLAN = "{ mode: scheduled, duration: 30m, every: 3m, settle: 0s }";
export const QUALITY = "{ name: quality, kind: score, source: s, query: { value: v }, scale: [1, 5], margin: 0.5 }";
export const LATENCY =
  "{ name: latency, kind: latency, source: s, query: { value: v }, margin: 20%, components: [body, mean] }";

/** Sessions of one arm with a normal score around `mean`, one record each, evenly spread over the time. */
export function scores(arm: string, mean: number, seed: number, more: Line = {}): Line[] {
  const random = seeded(seed);
  return Array.from({ length: MINUTES * PER_MINUTE }, (_, i) => ({
    ...more,
    arm,
    metric: "quality",
    value: Math.min(5, Math.max(1, mean + 0.6 * standardNormal(random))),
    unit: `${arm}-${seed}-${i}`,
    at: START + (60 * i) / PER_MINUTE,
  }));
}
