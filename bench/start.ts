import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, stdout } from "node:process";
import { freePort } from "../test/services/servers.ts";
import { medianOf } from "./service/median.ts";

const MAIN = new URL("../dist/main.js", import.meta.url).pathname;
const STARTS = 5;
const GOAL_MS = 3_000;
const POLL_MS = 10;

/** From the start of the process to the first ready answer, embedded: in an empty folder, and in one that has a record. Of the bundle, so build first. */
export async function run(): Promise<void> {
  stdout.write(`start to ready, embedded, median of ${STARTS}; load ${loadavg()[0]?.toFixed(1)}\n`);
  const folder = await mkdtemp(join(tmpdir(), "touchstone-start-"));
  const first: Start[] = [];
  const later: Start[] = [];
  for (let i = 0; i < STARTS; i++) {
    const dataDir = join(folder, String(i));
    first.push(await start(dataDir));
    later.push(await start(dataDir));
  }
  for (const [name, starts] of [
    ["first", first],
    ["later", later],
  ] as const) {
    const wall = medianOf(starts.map(({ wallMs }) => wallMs));
    const cells = [
      `${wall.toFixed(0)} ms`,
      `${medianOf(starts.map(({ cpuMs }) => cpuMs)).toFixed(0)} ms of CPU`,
      `${medianOf(starts.map(({ peakMb }) => peakMb)).toFixed(0)} MB at most`,
    ];
    stdout.write(`${name}  ${cells.join("  ")}  goal ≤ ${GOAL_MS} ms ${wall <= GOAL_MS ? "met" : "MISSED"}\n`);
  }
  await rm(folder, { recursive: true });
}

interface Start {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMb: number;
}

async function start(dataDir: string): Promise<Start> {
  const port = await freePort();
  const env = { PATH: process.env["PATH"], PORT: String(port), TOUCHSTONE_DATA_DIR: dataDir, LOG_LEVEL: "error" };
  const began = performance.now();
  const child = spawn(execPath, [MAIN, "serve"], { env, stdio: ["ignore", "ignore", "inherit"] });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  const wallMs = performance.now() - began;
  // Linux tells; clock ticks are hundredths of a second there.
  const [status, stat] = await Promise.all(
    ["status", "stat"].map((name) => readFile(`/proc/${child.pid}/${name}`, "utf8")),
  );
  const ticks = (stat ?? "").slice((stat ?? "").lastIndexOf(")") + 2).split(" ");
  child.kill("SIGTERM");
  await gone;
  return {
    wallMs,
    cpuMs: 10 * (Number(ticks[11]) + Number(ticks[12])),
    peakMb: Number(/VmHWM:\s+(\d+)/.exec(status ?? "")?.[1]) / 1024,
  };
}
