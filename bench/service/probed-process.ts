import { execFileSync, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import type { Role } from "../../src/wire.ts";
import { freePort } from "../../test/services/servers.ts";
import type { Delay, Held, ProbeRequest } from "./probed.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles what `startProbed` starts, beside the bundle that people run. */
export function bundleProbed(): void {
  execFileSync(execPath, ["scripts/build.mjs", "bench/service/probed.ts"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** A process of Touchstone that can be asked what it holds. */
export interface Probed {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  held(): Promise<Held>;
  /** Since it was last asked. */
  delay(): Promise<Delay>;
  /** Resident memory in bytes and open descriptors, as Linux tells. */
  system(): Promise<{ readonly rssBytes: number; readonly descriptors: number }>;
  /** Lines of its log that were warnings or worse, each message with its number. */
  readonly complaints: ReadonlyMap<string, number>;
  /** Ends it. @returns its exit code. */
  stop(): Promise<number | null>;
}

const ASK_MS = 60_000;

/** @param args  of bench/service/probed.ts. Resolves when it is ready. */
export async function startProbed(
  name: string,
  role: Role,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Probed> {
  const port = await freePort();
  const child = spawn(execPath, [`${ROOT}/dist/probed.js`, "--role", role, ...args], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { PATH: process.env["PATH"] ?? "", LOG_LEVEL: "info", PORT: String(port), ...env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started`);
  const complaints = new Map<string, number>();
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  let rest = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const complaint = complaintIn(line);
      if (complaint !== null) complaints.set(complaint, (complaints.get(complaint) ?? 0) + 1);
    }
  });
  const next = <T extends { readonly kind: string }>(kind: T["kind"]): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (outcome: T | Error) => {
        child.off("message", hear);
        clearTimeout(late);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const hear = (message: T) => message.kind === kind && settle(message);
      const late = setTimeout(() => settle(new Error(`${name} did not say ${kind} in ${ASK_MS} ms`)), ASK_MS);
      child.on("message", hear);
      void ended.then((code) => settle(new Error(`${name} ended with ${code}: ${[...complaints.keys()].join("; ")}`)));
    });
  const ask = <T extends { readonly kind: ProbeRequest["kind"] }>(kind: T["kind"]): Promise<T> => {
    const answer = next<T>(kind);
    child.send({ kind } satisfies ProbeRequest);
    return answer;
  };
  await next<{ kind: "ready" }>("ready");
  return {
    name,
    pid,
    url: `http://127.0.0.1:${port}`,
    held: () => ask<Held>("held"),
    delay: () => ask<Delay>("delay"),
    async system() {
      const [status, descriptors] = await Promise.all([
        readFile(`/proc/${pid}/status`, "utf8"),
        readdir(`/proc/${pid}/fd`),
      ]);
      return { rssBytes: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]), descriptors: descriptors.length };
    },
    complaints,
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** What a line of the log complains of, without what differs from one to the next; null of the others. */
function complaintIn(line: string): string | null {
  if (line === "" || /"level":"(?:info|debug|trace)"/.test(line)) return null;
  if (!line.startsWith("{")) return line;
  const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
  return [msg, err?.message].filter((text) => text !== undefined).join(": ");
}
