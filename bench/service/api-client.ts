import { spawn, type ChildProcess } from "node:child_process";
import { execPath } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { RunView } from "../../src/model/run.ts";
import { freePort } from "../../test/services/servers.ts";

/** A run of so many series from the source `load`, by an analysis inline. */
export function loadRequest(
  plan: object,
  metrics = 1,
): { readonly analysis: object; readonly baseline: object; readonly candidate: object } {
  return {
    analysis: {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: "load" },
      spec: {
        plan,
        metrics: Array.from({ length: metrics }, (_, n) => ({
          name: `latency${n}`,
          kind: "latency",
          unit: "step",
          source: "load",
          query: { series: `latency${n}{version="{{ version }}"}` },
        })),
      },
    },
    baseline: { label: "v1" },
    candidate: { label: "v2" },
  };
}

/** @returns the id of the run. @throws Error unless it is new. */
export async function postRun(url: string, body: object): Promise<string> {
  const answer = await fetch(`${url}/v1/runs`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  if (answer.status !== 202) throw new Error(`a post was answered ${answer.status}: ${await answer.text()}`);
  return RunView.pick({ id: true }).parse(await answer.json()).id;
}

/** Starts a Node process that serves on a free port, and waits until it is ready. @returns its URL. @throws Error when it ends before. */
export async function serve(
  started: ChildProcess[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const port = await freePort();
  const child = spawn(execPath, args, { env: { ...env, PORT: String(port) }, stdio: ["ignore", "ignore", "inherit"] });
  started.push(child);
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`${args.join(" ")} ended with ${child.exitCode}`);
    await pause(50);
  }
  return url;
}
