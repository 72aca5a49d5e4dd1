import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { findProgram } from "../../services/servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The conformance program and the CRDs of the controllers; null without Go, and the tests are then listed as skipped. */
    readonly controllers: Controllers | null;
  }
}

export interface Controllers {
  readonly program: string;
  readonly crds: readonly string[];
}

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL(".", import.meta.url));
const CACHE = fileURLToPath(new URL("../../../.cache", import.meta.url));
/** What go.mod asks for; an older Go would fetch a newer one, which the tests of a machine should not. */
const OLDEST = [1, 26, 1] as const;
const ARGO = "github.com/argoproj/argo-rollouts";
const FLAGGER = "github.com/fluxcd/flagger";

/** Builds the conformance program: minutes and a gigabyte of Go's build cache the first time, seconds afterwards. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide("controllers", (await hasGo()) ? await build() : null);
}

async function hasGo(): Promise<boolean> {
  if (findProgram("go") === null) return false;
  const { stdout } = await run("go", ["env", "GOVERSION"], {
    cwd: MODULE,
    env: { ...process.env, GOTOOLCHAIN: "local" },
  });
  const version = (/^go(\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout) ?? []).slice(1).map(Number);
  for (const [index, wanted] of OLDEST.entries()) {
    const part = version[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

async function build(): Promise<Controllers> {
  await mkdir(CACHE, { recursive: true });
  const program = join(CACHE, "controllers");
  await go("build", "-o", program, ".");
  const folders = await go("list", "-m", "-f", "{{.Dir}}", ARGO, FLAGGER);
  const [argo = "", flagger = ""] = folders.trim().split("\n");
  const crds = ["rollout-crd", "experiment-crd", "analysis-template-crd", "cluster-analysis-template-crd"];
  return {
    program,
    crds: [
      ...crds.map((name) => join(argo, "manifests", "crds", `${name}.yaml`)),
      join(flagger, "artifacts", "flagger", "crd.yaml"),
    ],
  };
}

async function go(...args: string[]): Promise<string> {
  const { stdout } = await run("go", args, { cwd: MODULE, env: { ...process.env, GOTOOLCHAIN: "local" } });
  return stdout;
}
