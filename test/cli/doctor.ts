import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { run } from "./run.ts";

/** What is shipped. */
export const DEPLOY = new URL("../../deploy/", import.meta.url);

export function diagnose(
  controller: string,
  files: readonly string[],
  options: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  return run(["doctor", controller, ...files, ...options], env);
}

/** The codes of the traps in what was printed. */
export function codesOf(out: string): string[] {
  return [...out.matchAll(/^ {2}([a-z-]+): /gm)].map(([, code = ""]) => code);
}

/** A file that goes with the test. */
export async function writeManifest(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-doctor-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "manifest.yaml");
  await writeFile(file, text);
  return file;
}
