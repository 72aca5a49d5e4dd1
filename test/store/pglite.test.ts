import { mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createPgliteSql } from "../../src/store/pglite.ts";
import { takeLock } from "../../src/store/lock-file.ts";
import { canaryConfigContract } from "../contract/canary-config-contract.ts";
import { scheduleContract } from "../contract/schedule-contract.ts";
import { storeContract } from "../contract/store-contract.ts";

const never = () => {
  throw new Error("the lock was lost");
};

storeContract("PGlite", () => createPgliteSql(null, never));
scheduleContract("PGlite", () => createPgliteSql(null, never));
canaryConfigContract("PGlite", () => createPgliteSql(null, never));

async function lockPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-lock-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "lock");
}

test("a lock is held by one owner and free after its release", async () => {
  const path = await lockPath();
  const lock = await takeLock(path, never);
  await expect(takeLock(path, never)).rejects.toMatchObject({ code: "store_unavailable" });
  await lock.release();
  await (await takeLock(path, never)).release();
});

test("the lock of a dead process is taken over, also when its process id lives on as another process", async () => {
  for (const owner of [
    `${hostname()} 999999999 123\n`,
    `${hostname()} ${process.pid} 123\n`,
    `${hostname()} 1 123\n`,
  ]) {
    const path = await lockPath();
    await writeFile(path, owner);
    const lock = await takeLock(path, never);
    expect(await readFile(path, "utf8")).toMatch(`${hostname()} ${process.pid} `);
    await lock.release();
  }
});

test("the lock of another host is respected while it is touched and taken over when it is old", async () => {
  const path = await lockPath();
  await writeFile(path, "elsewhere 12 345\n");
  await expect(takeLock(path, never)).rejects.toThrow(/process 12 on elsewhere/);
  const old = new Date(Date.now() - 120_000);
  await utimes(path, old, old);
  await (await takeLock(path, never)).release();
});
