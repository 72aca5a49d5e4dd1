import { readFileSync } from "node:fs";
import { link, open, readFile, rename, stat, unlink, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { TouchstoneError } from "../errors.ts";

/** How often the owner touches its lock, so that another machine or container can tell a dead owner from a living one. */
const TOUCH_MS = 5_000;

/** An owner on another host counts as gone when its lock was not touched for this long. On the same host its process is asked for. */
const FOREIGN_STALE_MS = 60_000;

/**
 * A lock that a killed process cannot leave behind: the file names its owner by host, process id and start time, and whoever finds the owner gone takes it over.
 *
 * @param onLost  told when another process has taken the lock all the same (this process was frozen for a minute): nothing may be written any more.
 * @throws TouchstoneError `store_unavailable` naming the owner when it is alive.
 */
export async function takeLock(path: string, onLost: () => void): Promise<{ release(): Promise<void> }> {
  const mine = `${hostname()} ${process.pid} ${startTimeOf(process.pid)}\n`;
  for (;;) {
    if (await createWith(path, mine)) break;
    const owner = await readIfThere(path);
    if (owner === null) continue;
    if (await isAlive(path, owner)) {
      const [host, pid] = owner.trim().split(" ");
      throw new TouchstoneError(
        "store_unavailable",
        `the embedded record is in use by process ${pid} on ${host} (${path}); one process at a time, or set DATABASE_URL`,
      );
    }
    await removeDead(path, owner);
  }
  const touch = setInterval(() => void keepMine(path, mine).catch(onLost), TOUCH_MS);
  touch.unref();
  return {
    async release() {
      clearInterval(touch);
      if ((await readIfThere(path)) === mine) await unlink(path);
    },
  };
}

async function keepMine(path: string, mine: string): Promise<void> {
  if ((await readIfThere(path)) !== mine)
    throw new TouchstoneError("store_unavailable", `${path} belongs to another process now`);
  const now = new Date();
  await utimes(path, now, now);
}

async function createWith(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Two processes may find the same dead owner: the rename lets one of them win, and what turns out to be somebody's new lock is put back. */
async function removeDead(path: string, owner: string): Promise<void> {
  const aside = `${path}.${process.pid}.dead`;
  try {
    await rename(path, aside);
    if ((await readIfThere(aside)) !== owner) await link(aside, path);
    await unlink(aside);
  } catch (error) {
    if (!isCode(error, "ENOENT") && !isCode(error, "EEXIST")) throw error;
  }
}

async function isAlive(path: string, owner: string): Promise<boolean> {
  const [host, pidText, startTime] = owner.trim().split(" ");
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
  // A lock without its text is being written right now, or its writer died in between.
  if (startTime === undefined || host !== hostname()) return Date.now() - mtimeMs < FOREIGN_STALE_MS;
  const pid = Number(pidText);
  if (pid !== process.pid) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (!isCode(error, "EPERM")) return false;
    }
  }
  // The same id with another start time is another process, as after the restart of a container.
  return startTime === startTimeOf(pid);
}

/** When the process began, in clock ticks since boot; "-" where the system does not tell, and then the process id alone decides. */
function startTimeOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces; the start time is field 22, the 20th behind it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not noticed.
    return fields[0] === "Z" ? "ended" : (fields[19] ?? "-");
  } catch {
    return "-";
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
