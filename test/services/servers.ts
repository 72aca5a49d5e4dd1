import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Real servers for tests: on free ports of loopback, in folders of their own, ended by their process id. */
export interface Server {
  readonly url: string;
  readonly process: ChildProcess;
  readonly folder: string;
  /** Ends it and keeps its folder. */
  halt(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and removes its folder. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Folders in which Debian keeps what is not on the path. */
const EXTRA = existsSync("/usr/lib/postgresql")
  ? readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`)
  : [];

/** The full path of a program, or null when the machine has none. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env["PATH"] ?? "").split(":"), ...EXTRA];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** @param options  of the command line besides; `port` to come back where another one was. */
export async function startRedis(options: readonly string[] = [], port?: number): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-redis-"));
  const own = port ?? (await freePort());
  // Without persistence: the harder case.
  const args = [
    "--port",
    String(own),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory-policy",
    "noeviction",
    "--dir",
    folder,
    ...options,
  ];
  return startServer("redis-server", args, `redis://127.0.0.1:${own}`, folder, () =>
    answers(own, "PING\r\n", /\+PONG/),
  );
}

export interface PostgresOptions {
  /** Where the cluster is, or is made; without it in a folder of its own. */
  readonly folder?: string;
  /** To come back where it was. */
  readonly port?: number;
  /** Of the command line besides. */
  readonly settings?: readonly string[];
}

/** Stops all threads of a server where they are, as a machine that hangs does; they have stopped when it returns. `SIGCONT` lets them go on. */
export async function freeze({ process: { pid } }: Server): Promise<void> {
  if (pid === undefined) throw new Error("the server has no process");
  process.kill(pid, "SIGSTOP");
  const states = () =>
    readdirSync(`/proc/${pid}/task`).map(
      (task) => readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8").split(") ")[1]?.[0],
    );
  while (states().some((state) => state !== "T")) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A cluster of its own; `url` is that of the maintenance database. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Server> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "touchstone-postgres-"));
  const port = options.port ?? (await freePort());
  const asPostgres = userOf("postgres");
  if (asPostgres !== null) chownSync(folder, asPostgres.uid, asPostgres.gid);
  const data = join(folder, "data");
  if (!existsSync(data)) {
    execFileSync(program("initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], {
      stdio: "ignore",
      cwd: folder,
      ...asPostgres,
    });
  }
  const args = [
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    folder,
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "max_connections=200",
    ...(options.settings ?? []).flatMap((setting) => ["-c", setting]),
  ];
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return startServer(
    "postgres",
    args,
    url,
    folder,
    () => Promise.resolve(spawnSync(program("pg_isready"), ["-h", "127.0.0.1", "-p", String(port)]).status === 0),
    asPostgres ?? {},
  );
}

export interface PrometheusOptions {
  /** OpenMetrics text to begin with. */
  readonly history?: string;
  /** Native histograms, and a receiver for remote write. */
  readonly native?: boolean;
  /** Scraped every second: label `version` → address. */
  readonly targets?: Readonly<Record<string, string>>;
  /** Another server that it asks for the past, with every query. */
  readonly remoteRead?: string;
  /** Of the command line besides. */
  readonly args?: readonly string[];
}

export async function startPrometheus({
  history,
  native = false,
  targets = {},
  remoteRead,
  args: more = [],
}: PrometheusOptions): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-prometheus-"));
  const port = await freePort();
  const data = join(folder, "data");
  if (history !== undefined) {
    // Before the start: into a running server nothing would be visible for a minute.
    writeFileSync(join(folder, "history.om"), history);
    execFileSync(program("promtool"), ["tsdb", "create-blocks-from", "openmetrics", join(folder, "history.om"), data], {
      stdio: "ignore",
    });
  }
  const scrapes = Object.entries(targets).map(([version, address]) => ({ targets: [address], labels: { version } }));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: scrapes.length === 0 ? [] : [{ job_name: "agents", static_configs: scrapes }],
    ...(remoteRead === undefined ? {} : { remote_read: [{ url: remoteRead, read_recent: true }] }),
  };
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
  const args = [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${data}`,
    "--storage.tsdb.retention.time=10y",
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
    ...(native ? ["--enable-feature=native-histograms", "--web.enable-remote-write-receiver"] : []),
    ...more,
  ];
  const url = `http://127.0.0.1:${port}`;
  return startServer("prometheus", args, url, folder, () => isOk(`${url}/-/ready`));
}

/** A second server that speaks Prometheus' query API. `load` imports OpenMetrics text, which is visible when it returns. */
export async function startVictoriaMetrics(): Promise<Server & { load(openMetrics: string): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-victoria-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [
    `-storageDataPath=${join(folder, "data")}`,
    "-retentionPeriod=10y",
    `-httpListenAddr=127.0.0.1:${port}`,
    "-search.disableCache",
    "-search.latencyOffset=0s",
  ];
  const server = await startServer("victoria-metrics", args, url, folder, () => isOk(`${url}/health`));
  const send = async (path: string, body?: string) => {
    const response = await fetch(`${url}${path}`, body === undefined ? {} : { method: "POST", body });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  };
  return {
    ...server,
    async load(openMetrics) {
      // Its import takes milliseconds where OpenMetrics has seconds.
      const lines = openMetrics.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      await send("/api/v1/import/prometheus", lines.map((line) => `${line}000`).join("\n"));
      await send("/internal/force_flush");
    },
  };
}

/** A process of Touchstone itself, from the bundle that people run. */
export async function startTouchstoneProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Server & { readonly log: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-process-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let log = "";
  const main = new URL("../../dist/main.js", import.meta.url).pathname;
  const onOutput = (text: string) => void (log += text);
  const hasApi = !args.includes("worker");
  const ready = () => (hasApi ? isOk(`${url}/readyz`) : Promise.resolve(true));
  const server = await startServer(
    process.execPath,
    [main, "serve", ...args],
    url,
    folder,
    ready,
    {
      env: {
        PATH: process.env["PATH"] ?? "",
        PORT: String(port),
        TOUCHSTONE_DATA_DIR: join(folder, "data"),
        LOG_LEVEL: "info",
        ...env,
      },
    },
    onOutput,
  );
  return { ...server, log: () => log };
}

interface Spawning {
  readonly uid?: number;
  readonly gid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const START_MS = 30_000;
const POLL_MS = 20;

async function startServer(
  name: string,
  args: readonly string[],
  url: string,
  folder: string,
  ready: () => Promise<boolean>,
  spawning: Spawning = {},
  onOutput: (text: string) => void = () => undefined,
): Promise<Server> {
  let output = "";
  const child = spawn(program(name), args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], ...spawning });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
      onOutput(text);
    });
  }
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const late = Date.now() + START_MS;
  while (!(await ready())) {
    if (child.exitCode !== null || Date.now() > late) {
      child.kill("SIGKILL");
      throw new Error(`${name} did not start:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await gone;
  };
  return {
    url,
    process: child,
    folder,
    halt,
    async stop(signal = "SIGTERM") {
      await halt(signal);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function program(name: string): string {
  const path = name.startsWith("/") ? name : findProgram(name);
  if (path === null) throw new Error(`there is no ${name} on this machine`);
  return path;
}

/** Postgres refuses to run as root. */
function userOf(name: string): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function isOk(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

/** Whether a port answers a line as wanted. */
async function answers(port: number, line: string, wanted: RegExp): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(line));
    socket.once("data", (data) => {
      resolve(wanted.test(data.toString()));
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
  });
}
