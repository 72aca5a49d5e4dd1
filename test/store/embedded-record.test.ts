import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { backupSchema, readBackup, writeBackup } from "../../src/store/backup.ts";
import { currentVersion, migrate, SCHEMA_VERSION } from "../../src/store/migrations.ts";
import { createPgliteSql, hasRecord, packTemplate, replaceRecord } from "../../src/store/pglite.ts";
import type { Sql } from "../../src/store/sql.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { runOf, SMALL_ANALYSIS } from "../fixtures.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";

/** The embedded record in its folder: first starts, backups, and processes that are killed in the middle. */

const never = () => {
  throw new Error("the lock was lost");
};
const MARK =
  "insert into touchstone.analyses (project, name, origin, document, digest) values ('mark', $1, 'api', '{}', 'd')";

let root: string;
let packed: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "touchstone-embedded-"));
  packed = join(root, "template.tar.gz");
  const template = await packTemplate(async (sql) => {
    await migrate(sql);
    await sql.query(MARK, ["template"]);
  });
  await writeFile(packed, template);
}, 60_000);
afterAll(() => rm(root, { recursive: true }));

let folders = 0;
const folder = () => join(root, `data-${(folders += 1)}`);
const template = (path = packed, onUnusable: (error: unknown) => void = never) => ({ path, onUnusable });
const marks = async (sql: Sql) =>
  (await sql.query<{ name: string }>("select name from touchstone.analyses where project = 'mark' order by name")).map(
    ({ name }) => name,
  );

async function marksIn(dataDir: string): Promise<string[]> {
  const sql = await createPgliteSql(dataDir, never, template());
  try {
    return await marks(sql);
  } finally {
    await sql.close();
  }
}

test("a first start begins from the packed record, later ones from what is there", async () => {
  const dataDir = folder();
  expect(await hasRecord(dataDir)).toBe(false);
  const first = await createPgliteSql(dataDir, never, template());
  expect(await migrate(first)).toEqual([]);
  expect(await marks(first)).toEqual(["template"]);
  await first.query(MARK, ["own"]);
  await first.close();
  expect(await hasRecord(dataDir)).toBe(true);
  expect(await marksIn(dataDir)).toEqual(["own", "template"]);
}, 60_000);

test("without a packed record, or with a broken one, a record is made from nothing", async () => {
  for (const [path, told] of [
    [join(root, "nowhere.tar.gz"), 0],
    [join(root, "broken.tar.gz"), 1],
  ] as const) {
    if (told === 1) await writeFile(path, (await readFile(packed)).subarray(0, 1_000_000));
    const errors: unknown[] = [];
    const sql = await createPgliteSql(
      folder(),
      never,
      template(path, (error) => void errors.push(error)),
    );
    expect((await migrate(sql)).length).toBe(SCHEMA_VERSION);
    expect(errors.length).toBe(told);
    await sql.close();
  }
}, 120_000);

test("a first start that was killed in the middle is begun again", async () => {
  const dataDir = folder();
  await mkdir(join(dataDir, "record"), { recursive: true });
  for (const file of ["touchstone-incomplete", "PG_VERSION"]) await writeFile(join(dataDir, "record", file), "18\n");
  expect(await marksIn(dataDir)).toEqual(["template"]);
}, 60_000);

/** A copy of a record with something in every table, and its backup. */
async function filled(dataDir: string): Promise<string> {
  prepared ??= prepare(join(root, "prepared"));
  const backup = await prepared;
  await cp(join(root, "prepared"), dataDir, { recursive: true });
  return backup;
}
let prepared: Promise<string> | undefined;

async function prepare(dataDir: string): Promise<string> {
  const sql = await createPgliteSql(dataDir, never, template());
  await migrate(sql);
  const store = createSqlStore(sql);
  const { document } = readAnalysis(SMALL_ANALYSIS, "the test");
  await store.putAnalysis(
    "default",
    {
      name: "small",
      origin: "api",
      document: { ...document, metadata: { ...document.metadata, description: 'a\u2028b\r\nc \\ "ü" 🪨' } },
      digest: "d",
    },
    { route: "PUT", key: "k", bodyDigest: "d" },
    "a test",
  );
  for (let n = 1; n <= 30; n++) {
    const rollout = { namespace: "n", name: `r${n}`, revision: "1" };
    const { run } = await store.startRun({
      project: "default",
      requestDigest: "d",
      rollout,
      idempotency: { route: "POST", key: `k${n}`, bodyDigest: "d" },
      actor: "a test",
      admit: () => undefined,
      build: (now) => ({ run: runOf({ id: `run_${n}`, rollout }), dueAt: now }),
    });
    if (n > 26) continue;
    const claim = await store.claimRun("w", 30, run.run.id);
    if (claim === null) throw new Error("was not due");
    await store.storeLook(claim, {
      at: claim.now,
      decision: "pause",
      summary: "pause: a test",
      score: n / 3,
      report: `{"look":${n}}`,
      state: { v: 2, looks: 1, metrics: {}, digest: "d", sampleRatio: null, spent: { rollback: n / 7, promote: 0 } },
      nextAt: null,
      evidence: { engine: "e", bytes: 3000, limitBytes: 1e6, body: new Uint8Array(3000).map((_, i) => (i * n) % 256) },
    });
  }
  await sql.query("update touchstone.idempotency_keys set created_at = created_at - interval '3 days'");
  await store.close();
  return backedUp(dataDir);
}

/** What callers read of it. */
async function answers(dataDir: string): Promise<unknown> {
  const store = createSqlStore(await createPgliteSql(dataDir, never));
  try {
    const page = { limit: 200, cursor: null };
    const { items } = await store.listRuns("default", {}, page);
    const runs = await Promise.all(
      items.map(async ({ run }) => [
        await store.readRun("default", run.id),
        await store.listLooks("default", run.id, page),
        await store.listEvidence("default", run.id, page),
      ]),
    );
    return { runs, analyses: await store.listAnalyses("default", page) };
  } finally {
    await store.close();
  }
}

async function backedUp(dataDir: string): Promise<string> {
  const path = join(root, `backup-${(folders += 1)}.gz`);
  const sql = await createPgliteSql(dataDir, never);
  await writeBackup(sql, path);
  await sql.close();
  return path;
}

async function restore(dataDir: string, path: string, overwrite = false): Promise<void> {
  const start = (await backupSchema(path)) === SCHEMA_VERSION ? template() : null;
  await replaceRecord(dataDir, { overwrite, template: start }, async (sql) => void (await readBackup(sql, path)));
}

test("a record that was backed up and restored elsewhere gives the same answers and goes on as it would have", async () => {
  const [from, to] = [folder(), folder()];
  const path = await filled(from);
  await restore(to, path);
  expect(await answers(to)).toEqual(await answers(from));
  expect(await readdir(to)).toEqual(["record"]);

  const store = createSqlStore(await createPgliteSql(to, never));
  const start = (key: string, id: string) =>
    store.startRun({
      project: "default",
      requestDigest: "d",
      rollout: null,
      idempotency: { route: "POST", key, bodyDigest: "d" },
      actor: "a test",
      admit: () => undefined,
      build: (now) => ({ run: runOf({ id }), dueAt: now }),
    });
  expect(await start("k7", "run_new")).toMatchObject({ outcome: "repeated", run: { run: { id: "run_7" } } });
  expect((await start("fresh", "run_new")).outcome).toBe("created");
  expect((await store.listRuns("default", {}, { limit: 1, cursor: null })).items[0]?.run.id).toBe("run_new");
  expect((await store.claimRun("w", 30))?.run.id).toBe("run_27");
  await store.close();
}, 120_000);

test("a record is overwritten only when told to, and not while somebody has it open", async () => {
  const dataDir = folder();
  const path = await filled(dataDir);
  await expect(restore(dataDir, path)).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining("--overwrite"),
  });
  const open = await createPgliteSql(dataDir, never);
  await open.query(MARK, ["after the backup"]);
  await expect(restore(dataDir, path, true)).rejects.toMatchObject({
    code: "store_unavailable",
    message: expect.stringMatching(/in use by process/),
  });
  await open.close();
  expect(await marksIn(dataDir)).toEqual(["after the backup", "template"]);
  await restore(dataDir, path, true);
  expect(await marksIn(dataDir)).toEqual(["template"]);
}, 120_000);

test("what is no whole backup is refused by name, and the record stays as it was", async () => {
  const dataDir = folder();
  const good = await filled(dataDir);
  const text = gunzipSync(await readFile(good)).toString("utf8");
  const faults: readonly (readonly [name: string, content: Buffer, fault: RegExp])[] = [
    ["not gzipped", Buffer.from(text), /is not a whole backup: incorrect header check/],
    ["another file", gzipSync("hello\n"), /is not a backup of Touchstone: it does not begin as a backup/],
    ["cut in the middle", (await readFile(good)).subarray(0, 5_000), /is not a whole backup: unexpected end of file/],
    ["without its end", gzipSync(text.slice(0, text.lastIndexOf('{"end"'))), /ends in the middle/],
    ["changed", gzipSync(text.replace('"score":5,', '"score":6,')), /is damaged/],
    [
      "with a row that is none",
      gzipSync(text.replace('"seq":3,', '"seq":"x",')),
      /cannot be read back: .*invalid input syntax/,
    ],
    ["of another table", gzipSync(text.replace('{"table":"looks"', '{"table":"pg_class"')), /holds a table pg_class/],
    [
      "of a newer program",
      gzipSync(text.replace(/"schema":\d+/, '"schema":999')),
      /with schema version 999; this program knows/,
    ],
  ];
  for (const [name, content, fault] of faults) {
    const path = join(root, "bad.gz");
    await writeFile(path, content);
    await expect(restore(dataDir, path, true), name).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringMatching(fault),
    });
  }
  await expect(restore(dataDir, join(root, "nowhere.gz"), true)).rejects.toMatchObject({ code: "input_unavailable" });
  expect(await readdir(dataDir)).toEqual(["record"]);
  expect(await marksIn(dataDir)).toEqual(["template"]);
}, 300_000);

test("a backup of an older schema is brought to the newest", async () => {
  const [from, to] = [folder(), folder()];
  const old = await createPgliteSql(from, never);
  await migrate(old, 1);
  await old.query(
    "insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, due_at) values ('run_old', 'p', $1, 'd', 'small', 'v1', 'v2', now())",
    [JSON.stringify(runOf({ id: "run_old" }))],
  );
  await old.close();
  await restore(to, await backedUp(from));
  const sql = await createPgliteSql(to, never);
  expect(await currentVersion(sql)).toBe(SCHEMA_VERSION);
  expect(await createSqlStore(sql).readRun("p", "run_old")).toMatchObject({ status: "queued" });
  await sql.close();
}, 120_000);

/** The places between which a restore can be killed: what lies in the folder then, and whose record must be found. */
test("a restore that was killed at any place leaves the old record or the new one, whole", async () => {
  const [oldDir, newDir] = [folder(), folder()];
  for (const [dataDir, name] of [
    [oldDir, "old"],
    [newDir, "new"],
  ] as const) {
    const sql = await createPgliteSql(dataDir, never, template());
    await sql.query(MARK, [name]);
    await sql.close();
  }
  const places: readonly (readonly [present: Readonly<Record<string, string>>, found: string])[] = [
    [{ record: oldDir, "record.building": newDir }, "old"],
    [{ "record.replaced": oldDir, "record.building": newDir }, "old"],
    [{ "record.replaced": oldDir, record: newDir }, "new"],
  ];
  for (const [present, found] of places) {
    const dataDir = folder();
    for (const [name, from] of Object.entries(present))
      await cp(join(from, "record"), join(dataDir, name), { recursive: true });
    expect(await hasRecord(dataDir)).toBe(true);
    expect(await marksIn(dataDir)).toEqual([found, "template"]);
    expect(await readdir(dataDir)).toEqual(["record"]);
  }
}, 120_000);
