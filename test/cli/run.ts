import { runCli, type CliDependencies } from "../../src/cli/cli.ts";
import { readConfig } from "../../src/config.ts";
import { readRecordings, replaySources, wireFiles, wireSources } from "../../src/wire-sources.ts";
import { backUpRecord, restoreRecord } from "../../src/wire.ts";

export const NOW = "2026-11-20T09:00:00.000Z";

/** One command, with what it printed. */
export async function run(
  args: string[],
  env: Record<string, string> = {},
  more: Partial<CliDependencies> = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await runCli(args, {
    readConfig: () => readConfig(env),
    serve: () => Promise.reject(new Error("not in this test")),
    migrate: () => Promise.resolve([]),
    backup: backUpRecord,
    restore: restoreRecord,
    wireFiles,
    readRecordings,
    wireReplay: replaySources,
    wireSources: ({ sources, secrets }) => wireSources({ configs: sources, environment: secrets.environment }),
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    now: () => NOW,
    ...more,
  });
  return { code, out, err };
}
