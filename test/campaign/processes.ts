import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../services/servers.ts";

export type Role = "api" | "worker" | "all";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One process of the bundle that people run. */
export interface Program {
  readonly name: string;
  readonly role: Role;
  readonly pid: number;
  /** Where its API listens, or will. */
  readonly url: string;
  readonly exit: Promise<Exit>;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** The end of what it printed. */
  log(): string;
}

export interface ProgramOptions {
  readonly name: string;
  readonly role: Role;
  readonly env: Readonly<Record<string, string>>;
  readonly port?: number;
}

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;
const LOG_CHARS = 40_000;

/** Starts a process and does not wait for anything. */
export async function startProgram({ name, role, env, port }: ProgramOptions): Promise<Program> {
  const own = port ?? (await freePort());
  const child = spawn(process.execPath, [MAIN, "serve", "--role", role], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", LOG_LEVEL: "info", PORT: String(own), ...env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started`);
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => void (log = (log + text).slice(-LOG_CHARS)));
  let running = true;
  const exit = new Promise<Exit>((resolve) =>
    child.once("close", (code, signal) => {
      running = false;
      resolve({ code, signal });
    }),
  );
  return {
    name,
    role,
    pid,
    url: `http://127.0.0.1:${own}`,
    exit,
    running: () => running,
    kill: (signal) => void child.kill(signal),
    log: () => log,
  };
}

/** What the platform does: keeps so many processes of each role alive, and starts each again that ended. */
export interface Deployment {
  programs(role?: Role): readonly Program[];
  /** SIGKILL, remembered with its time; the process is started again at once. */
  kill(program: Program): void;
  readonly kills: readonly Kill[];
  /** Processes that ended without being told to, as people read them. */
  readonly faults: readonly string[];
  /** While this is true a process may fail to start, because what it needs is away. */
  setExcused(excused: boolean): void;
  /** Ends one for good, and waits for it. */
  retire(program: Program, signal: NodeJS.Signals): Promise<Exit>;
  /** One more, kept alive like the others. */
  add(role: Role, env?: Readonly<Record<string, string>>): Promise<Program>;
  close(): Promise<void>;
}

export interface Kill {
  readonly pid: number;
  readonly role: Role;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A process that could not start waits so long for its next try. */
const RESTART_MS = 300;

/** The exit code of a process whose record is away. */
const UNAVAILABLE = 69;

export async function deploy(
  env: Readonly<Record<string, string>>,
  { apis, workers }: { readonly apis: number; readonly workers: number },
): Promise<Deployment> {
  const live = new Set<Program>();
  const killed = new Set<number>();
  const retired = new Set<number>();
  const kills: Kill[] = [];
  const faults: string[] = [];
  const ends: Promise<void>[] = [];
  let excused = false;
  let closed = false;
  let count = 0;

  const start = async (options: ProgramOptions): Promise<Program> => {
    const program = await startProgram(options);
    live.add(program);
    ends.push(
      program.exit.then(async ({ code, signal }) => {
        live.delete(program);
        if (closed || retired.has(program.pid)) return;
        if (!killed.delete(program.pid)) {
          if (!(excused && code === UNAVAILABLE))
            faults.push(`${options.name} ended by itself with ${code ?? signal}:\n${program.log().slice(-3000)}`);
          await pause(RESTART_MS);
        }
        if (!closed) await start(options);
      }),
    );
    return program;
  };

  const add = async (role: Role, more: Readonly<Record<string, string>> = {}): Promise<Program> => {
    count += 1;
    return start({ name: `${role} ${count}`, role, env: { ...env, ...more } });
  };
  for (let n = 0; n < apis; n += 1) await add("api");
  for (let n = 0; n < workers; n += 1) await add("worker");

  return {
    programs: (role) =>
      [...live].filter(({ pid, role: its }) => !killed.has(pid) && (role === undefined || its === role)),
    kill(program) {
      if (!program.running() || killed.has(program.pid)) return;
      killed.add(program.pid);
      kills.push({ pid: program.pid, role: program.role, at: Date.now() });
      program.kill("SIGKILL");
    },
    kills,
    faults,
    setExcused(next) {
      excused = next;
    },
    retire(program, signal) {
      retired.add(program.pid);
      program.kill(signal);
      return program.exit;
    },
    add,
    async close() {
      closed = true;
      for (const program of live) program.kill("SIGKILL");
      while (ends.length > 0) await Promise.all(ends.splice(0));
    },
  };
}
