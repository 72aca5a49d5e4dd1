import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TEMPLATE_PATH } from "../../src/wire.ts";
import { askServer } from "../street.ts";
import { startTouchstoneProcess } from "./servers.ts";

/** The bundle as people run it, with its record in a folder: backed up, restored, killed while restoring. */

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;
const PUT = { "content-type": "application/yaml" };
const analysis = (name: string) => `
apiVersion: touchstone/v1
kind: Analysis
metadata: { name: ${name} }
spec:
  unit: session
  metrics:
  - { name: quality, kind: score, scale: [1, 5], source: files, query: { value: score, unit: session } }
`;

let folder: string;
let env: Record<string, string>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-embedded-"));
  env = { PATH: process.env["PATH"] ?? "", TOUCHSTONE_DATA_DIR: join(folder, "data") };
});
afterAll(() => rmSync(folder, { recursive: true }));

const command = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
};

async function serving<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = await startTouchstoneProcess([], env);
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
}

const put = (name: string) =>
  serving(async (url) => {
    expect((await askServer(url, "PUT", `/v1/analyses/${name}`, analysis(name), PUT)).status).toBe(200);
  });
const names = () =>
  serving(async (url) =>
    (await askServer(url, "GET", "/v1/analyses")).body.items
      .filter(({ origin }: { origin: string }) => origin === "api")
      .map(({ name }: { name: string }) => name),
  );

describe("the embedded record of the bundle", () => {
  const backup = () => join(folder, "backup.gz");

  test("begins from the record that the build packed for this very schema", async () => {
    expect(existsSync(TEMPLATE_PATH)).toBe(true);
    const server = await startTouchstoneProcess([], {});
    await server.stop();
    expect(server.log()).not.toContain("packed record");
  }, 60_000);

  test("is backed up while no server has it open, and says so otherwise", async () => {
    expect(command("backup", backup())).toMatchObject({
      code: 69,
      err: expect.stringMatching(/there is no record in .*TOUCHSTONE_DATA_DIR/),
    });
    await serving(async (url) => {
      expect((await askServer(url, "PUT", "/v1/analyses/first", analysis("first"), PUT)).status).toBe(200);
      expect(command("backup", backup())).toMatchObject({
        code: 69,
        err: expect.stringMatching(/in use by process \d+ on /),
      });
    });
    expect(existsSync(backup())).toBe(false);
    expect(command("backup", backup())).toMatchObject({
      code: 0,
      out: expect.stringMatching(/wrote .*analyses \d+, .*runs 0/),
    });
  }, 120_000);

  test("a restore that is killed leaves what was there, and one that ends puts the backup in its place", async () => {
    await put("second");
    expect(await names()).toEqual(["first", "second"]);
    expect(command("restore", backup())).toMatchObject({ code: 64, err: expect.stringMatching(/--overwrite/) });
    let killed = 0;
    for (const afterMs of [300, 700, 1100, 1500, 2000]) {
      const child = spawn(process.execPath, [MAIN, "restore", backup(), "--overwrite"], { env, stdio: "ignore" });
      const gone = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
      const timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
      const signal = await gone;
      clearTimeout(timer);
      if (signal === null) break;
      killed += 1;
      expect(["first,second", "first"]).toContain((await names()).join());
    }
    expect(killed).toBeGreaterThan(0);
    expect(command("restore", backup(), "--overwrite")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^restored /),
    });
    expect(await names()).toEqual(["first"]);
  }, 300_000);

  test("is no matter of backup where a database keeps the record", () => {
    env = { ...env, DATABASE_URL: "postgres://localhost/x" };
    expect(command("backup", backup())).toMatchObject({
      code: 64,
      err: expect.stringMatching(/DATABASE_URL use pg_dump/),
    });
    expect(command("restore", backup())).toMatchObject({ code: 64, err: expect.stringMatching(/pg_restore/) });
  });
});
