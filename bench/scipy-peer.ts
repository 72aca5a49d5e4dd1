import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A Python process with scipy that times the same calls on the same data. */
export interface ScipyPeer {
  ask(command: Readonly<Record<string, unknown>>): Promise<Record<string, number | string>>;
  close(): void;
}

const SCIPY = "scipy==1.17.1";

/**
 * Starts scipy in a virtual environment under the cache folder, which is made on the first run (some 150 MB).
 *
 * @returns the peer, or the reason why there is none: no python3, or no way to install scipy.
 */
export function startScipyPeer(cache: string): ScipyPeer | string {
  const environment = `${cache}/bench-python`;
  const python = `${environment}/bin/python`;
  if (!existsSync(`${environment}/ready`)) {
    mkdirSync(cache, { recursive: true });
    process.stdout.write(`installing ${SCIPY} in ${environment} …\n`);
    for (const [command, ...args] of [
      ["python3", "-m", "venv", environment],
      [python, "-m", "pip", "install", "--quiet", SCIPY],
      [python, "-c", `import scipy.stats; open("${environment}/ready", "w").close()`],
    ]) {
      const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
      if (status !== 0) {
        const last = (error?.message ?? stderr).trim().split("\n").at(-1);
        return `${command} ${args.join(" ")}: ${last ?? "failed"}`;
      }
    }
  }

  const script = fileURLToPath(new URL("scipy-peer.py", import.meta.url));
  const child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      const answer = await answers.next();
      if (answer.done === true) throw new Error("scipy ended without an answer");
      return JSON.parse(answer.value) as Record<string, number | string>;
    },
    close: () => child.stdin.end(),
  };
}
