import type { Config } from "../config.ts";
import { TouchstoneError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { digestOf } from "../model/canonical.ts";
import type { StartRunRequest } from "../model/run.ts";
import { createClient } from "./client.ts";
import { candidateLabel } from "../report/parts.ts";

export type Role = "all" | "api" | "worker";

export interface ServeOptions {
  readonly role: Role;
  readonly example: boolean;
}

/** What `serve` starts: a running Touchstone. */
export interface Served {
  readonly url: string | null;
  readonly log: Logger;
  stop(): Promise<void>;
}

export interface ServeDependencies {
  readonly start: (config: Config, role: Role) => Promise<Served>;
  /** The bundled example: its sources, and the runs that judge it. */
  readonly readExample: () => Promise<Example>;
  readonly stdout: (text: string) => void;
  /** Resolves with its name when the process is asked to end. */
  readonly untilSignal: () => Promise<string>;
}

export interface Example {
  readonly sources: Config["sources"];
  readonly requests: readonly StartRunRequest[];
}

/** Starts, says where, and stays until the process is asked to end. */
export async function serve(
  { start, readExample, stdout, untilSignal }: ServeDependencies,
  config: Config,
  { role, example }: ServeOptions,
): Promise<void> {
  if (example && role === "worker")
    throw new TouchstoneError("invalid_config", "--example needs the API; use --role all");
  // From here on a signal is heard, also while everything is still starting.
  const ended = untilSignal();
  const bundled = example ? await readExample() : null;
  const own = new Set(config.sources.map(({ name }) => name));
  const sources = [...config.sources, ...(bundled?.sources.filter(({ name }) => !own.has(name)) ?? [])];
  const served = await start({ ...config, sources }, role);
  try {
    if (served.url !== null) stdout(`Touchstone listens at ${served.url}\n`);
    const taken = bundled?.sources.filter(({ name }) => own.has(name)).map(({ name }) => name) ?? [];
    if (taken.length > 0)
      stdout(
        `\nThe bundled example is not judged: it needs the name ${taken.join(", ")} for its own source, and you have one.\n`,
      );
    else if (bundled !== null && served.url !== null)
      await judgeExample(bundled, served.url, config.secrets.token, stdout);
    served.log.info({ signal: await ended }, "stopping");
  } finally {
    await served.stop();
  }
}

/** Through the whole street, as any caller would. A key for each request lets a restart find the verdicts of before. */
async function judgeExample(
  { requests }: Example,
  url: string,
  token: string | null,
  stdout: (text: string) => void,
): Promise<void> {
  const client = createClient(url, token);
  const signal = AbortSignal.timeout(120_000);
  stdout("\nThe bundled example: three successors of one support agent, judged from files.\n");
  for (const request of requests) {
    const { id } = await client.startRun(request, `example-${digestOf(request).slice(7, 39)}`, signal);
    const run = await client.readRun(id, 60, signal);
    stdout(
      `  ${request.baseline.label} → ${candidateLabel(run)}  ${run.summary ?? run.status}\n      ${url}${run.links.report}\n`,
    );
  }
  stdout(`\nAll runs: ${url}/   Stop: Ctrl-C\n`);
}
