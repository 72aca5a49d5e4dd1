import { createHash } from "node:crypto";
import { canonicalJson } from "../model/canonical.ts";
import type { Samples } from "../model/samples.ts";
import type { ArmAnswer, Gathered } from "./gathered.ts";

/**
 * Identifies everything that was judged so far: the same digest, analysis and engine give the same report.
 *
 * @param before  the digest of the look before; null at the first.
 */
export function digestEvidence(before: string | null, gathered: readonly Gathered[]): string {
  const hash = createHash("sha256");
  if (before !== null) hash.update(`${before}\n`);
  for (const { metric, baseline, candidate } of gathered) {
    hash.update(`${metric.name}\n`);
    for (const arm of [baseline, candidate]) updateArm(hash, arm);
  }
  return `sha256:${hash.digest("hex")}`;
}

/** One digest of several. */
export function combineDigests(digests: readonly string[]): string {
  return `sha256:${createHash("sha256").update(digests.join("\n")).digest("hex")}`;
}

function updateArm(hash: ReturnType<typeof createHash>, arm: ArmAnswer): void {
  if (arm.kind === "error") {
    hash.update(`${arm.code}\n`);
    return;
  }
  if (arm.kind === "unchanged") return;
  const { samples, faults, warnings } = arm.answer;
  if (arm.revised !== undefined) {
    hash.update("revised\n");
    for (const column of columnsOf(arm.revised)) updateColumn(hash, column);
  }
  hash.update(canonicalJson({ faults, warnings, shape: samples.shape, ...namesOf(samples) }));
  for (const column of columnsOf(samples)) updateColumn(hash, column);
}

function updateColumn(hash: ReturnType<typeof createHash>, column: Float64Array | Int32Array): void {
  hash.update(`\n${column.length}\n`);
  // Little-endian on every machine that runs Node.
  hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
}

function namesOf(samples: Samples): object {
  return samples.shape === "samples"
    ? {
        units: samples.unitNames,
        strata: samples.stratumNames,
        instruments: samples.instruments?.names,
        traceUrls: samples.traceUrls?.names,
      }
    : { stepSeconds: samples.stepSeconds };
}

function columnsOf(samples: Samples): (Float64Array | Int32Array)[] {
  switch (samples.shape) {
    case "samples":
      return [
        ...[samples.values, samples.units, samples.at, samples.strata].map((column) => column ?? new Float64Array(0)),
        ...[samples.instruments?.codes, samples.gold, samples.covariates, samples.traceUrls?.codes].filter(
          (column) => column !== undefined,
        ),
      ];
    case "series":
      return [samples.at, samples.values];
    case "counts":
      return [samples.at, samples.events, samples.exposure];
    case "histogram":
      return [samples.at, samples.upperEdges, samples.counts];
  }
}
