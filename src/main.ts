import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { runCli } from "./cli/cli.ts";
import { serve, type Example } from "./cli/serve.ts";
import { readProcessConfig } from "./config.ts";
import { StartRunRequest } from "./model/run.ts";
import { SourcesDocument } from "./model/source.ts";
import { readRecordings, replaySources, wireFiles, wireSources } from "./wire-sources.ts";
import { backUpRecord, migrateRecord, restoreRecord, startTouchstone } from "./wire.ts";

// Whoever reads may close the pipe early (`| head`); that is no fault, and must not change the exit code, which may be a verdict.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

const stdout = (text: string) => void process.stdout.write(text);
const stderr = (text: string) => void process.stderr.write(text);

/** A second signal ends the process at once: whoever asks twice does not want to wait. */
const untilSignal = (): Promise<string> =>
  new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.once(name, () => {
        resolve(name);
        process.once(name, () => process.exit(130));
      });
    }
  });

async function readExample(): Promise<Example> {
  const read = async (name: string): Promise<unknown> =>
    parse(await readFile(new URL(`../fixtures/agent/${name}`, import.meta.url), "utf8"));
  const { sources } = SourcesDocument.parse(await read("sources.yaml"));
  const root = fileURLToPath(new URL("../fixtures/agent", import.meta.url));
  return {
    sources: sources.map((source) => (source.type === "file" ? { ...source, root } : source)),
    requests: z.array(StartRunRequest).parse(await read("runs.yaml")),
  };
}

process.exitCode = await runCli(process.argv.slice(2), {
  readConfig: readProcessConfig,
  serve: (config, options) => serve({ start: startTouchstone, readExample, stdout, untilSignal }, config, options),
  migrate: migrateRecord,
  backup: backUpRecord,
  restore: restoreRecord,
  wireFiles,
  readRecordings,
  wireReplay: replaySources,
  wireSources: ({ sources, secrets }) => wireSources({ configs: sources, environment: secrets.environment }),
  stdout,
  stderr,
  now: () => new Date().toISOString(),
});
