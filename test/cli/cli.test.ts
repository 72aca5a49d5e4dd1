import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startStreet, type Street } from "../street.ts";
import { NOW, run } from "./run.ts";

const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const BATCH = fileURLToPath(new URL("../../analyses/batch-eval.yaml", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "touchstone-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const judgeAgent = (candidate: string, ...more: string[]) =>
  run(["judge", "-f", BATCH, "--baseline", `${AGENT}/v1.csv`, "--candidate", `${AGENT}/${candidate}.csv`, ...more]);

describe("judge", () => {
  test("the exit code is the verdict", async () => {
    expect((await judgeAgent("v2")).code).toBe(1);
    expect((await judgeAgent("v3")).code).toBe(0);
    const few = await file("few.csv", (await readFile(`${AGENT}/v3.csv`, "utf8")).split("\n").slice(0, 20).join("\n"));
    const paused = await run(["judge", "-f", BATCH, "--baseline", `${AGENT}/v1.csv`, "--candidate", few]);
    expect(paused.code).toBe(2);
    expect(paused.out).toMatch(/^pause: /);
    expect(paused.out).toMatch(/19 units in an arm, fewer than the 30 needed/);
  });

  test("the report is printed as a table, JSON, Markdown or HTML, and equal input prints equal bytes", async () => {
    expect((await judgeAgent("v2")).out).toMatch(/^rollback: quality 3\.48 vs 4\.00 .*\n\nmetric +tier +finding/);
    const json = await judgeAgent("v2", "-o", "json", "--at", NOW);
    expect(JSON.parse(json.out)).toMatchObject({
      kind: "Report",
      verdict: "rollback",
      look: { n: 1, at: NOW },
      baseline: { label: "v1" },
      candidate: { label: "v2" },
    });
    expect((await judgeAgent("v2", "-o", "json", "--at", NOW)).out).toBe(json.out);
    expect((await judgeAgent("v2", "-o", "markdown")).out).toMatch(/^# rollback: /);
    expect((await judgeAgent("v2", "-o", "html")).out).toMatch(/^<!doctype html>/);
  });

  test("one file may hold both versions", async () => {
    const rows = async (label: string) =>
      (await readFile(`${AGENT}/${label}.csv`, "utf8"))
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => `${line},${label}`);
    const both = await file(
      "both.csv",
      ["task,at,score,failed,latency_s,cost_usd,system", ...(await rows("v1")), ...(await rows("v2"))].join("\n"),
    );
    const analysis = await file(
      "where.yaml",
      (await readFile(BATCH, "utf8")).replaceAll("at: at }", 'at: at, where: { system: "{{ version }}" } }'),
    );
    const judged = await run([
      "judge",
      "-f",
      analysis,
      "--baseline",
      both,
      "--candidate",
      both,
      "--baseline-label",
      "v1",
      "--candidate-label",
      "v2",
    ]);
    expect(judged.code, judged.err).toBe(1);
    expect(judged.out).toMatch(/2000 \/ 2000/);
  });

  const SMALL = (metric: string) =>
    `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  metrics:\n  - ${metric}\n`;

  test.each<[string, () => Promise<string[]>, number, RegExp]>([
    [
      "an unknown key",
      async () => [
        "-f",
        await file("key.yaml", SMALL("{ name: q, kind: latency, source: s, query: { value: v }, margn: 5% }")),
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        `${AGENT}/v2.csv`,
      ],
      64,
      /spec\.metrics\[0\]\.margn is not a key of this object \(line 6\)/,
    ],
    [
      "a margin without its measurement unit",
      async () => [
        "-f",
        await file("unit.yaml", SMALL("{ name: q, kind: latency, source: s, query: { value: v }, margin: 5 }")),
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        `${AGENT}/v2.csv`,
      ],
      64,
      /spec\.metrics\[0\]\.margin 5 lacks its measurement unit; write 5%, 5ms or 5s \(line 6\)/,
    ],
    [
      "a query of another kind of source",
      async () => [
        "-f",
        await file("sql.yaml", SMALL("{ name: q, kind: latency, source: s, query: { sql: select 1 } }")),
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        `${AGENT}/v2.csv`,
      ],
      64,
      /asks for sql, but s reads files/,
    ],
    [
      "arms that ask the same",
      async () => ["-f", BATCH, "--baseline", `${AGENT}/v1.csv`, "--candidate", `${AGENT}/v1.csv`],
      64,
      /metric quality asks the same question for v1-baseline and v1-candidate/,
    ],
    [
      "a file without rows",
      async () => [
        "-f",
        BATCH,
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        await file("empty.csv", "task,score\n"),
      ],
      64,
      /empty\.csv holds no rows/,
    ],
    [
      "a binary file",
      async () => [
        "-f",
        BATCH,
        "--baseline",
        await file("binary.csv", Buffer.from([0, 1, 2, 3])),
        "--candidate",
        `${AGENT}/v1.csv`,
      ],
      64,
      /binary\.csv is a binary file/,
    ],
    [
      "a file that is not there",
      async () => ["-f", BATCH, "--baseline", join(folder, "absent.csv"), "--candidate", `${AGENT}/v1.csv`],
      69,
      /absent\.csv cannot be read/,
    ],
    [
      "an analysis that is not there",
      async () => [
        "-f",
        join(folder, "absent.yaml"),
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        `${AGENT}/v2.csv`,
      ],
      69,
      /absent\.yaml cannot be read/,
    ],
    [
      "a label with quotes and braces",
      async () => [
        "-f",
        BATCH,
        "--baseline",
        `${AGENT}/v1.csv`,
        "--candidate",
        `${AGENT}/v2.csv`,
        "--candidate-label",
        'v2"}{',
      ],
      64,
      /--candidate-label.*must be 1 to 128 of letters/,
    ],
    [
      "an unknown argument",
      async () => ["-f", BATCH, "--baseline", `${AGENT}/v1.csv`, "--candidate", `${AGENT}/v2.csv`, "--arg", "x=1"],
      64,
      /args\.x is not an argument|args\/x is not an argument/,
    ],
    [
      "a missing option",
      async () => ["-f", BATCH, "--baseline", `${AGENT}/v1.csv`],
      64,
      /required option '--candidate <file>' not specified/,
    ],
    [
      "an unknown option",
      async () => ["-f", BATCH, "--baseline", `${AGENT}/v1.csv`, "--candidate", `${AGENT}/v2.csv`, "--colour"],
      64,
      /unknown option '--colour'/,
    ],
  ])("%s", async (_, args, code, message) => {
    const judged = await run(["judge", ...(await args())]);
    expect(judged.err).toMatch(message);
    expect(judged.code).toBe(code);
    expect(judged.out).toBe("");
  });

  test("a column that a file lacks is a finding with its name", async () => {
    const analysis = await file(
      "column.yaml",
      SMALL("{ name: q, kind: latency, source: s, query: { value: latency } }"),
    );
    const judged = await run([
      "judge",
      "-f",
      analysis,
      "--baseline",
      `${AGENT}/v1.csv`,
      "--candidate",
      `${AGENT}/v2.csv`,
    ]);
    expect(judged.code).toBe(2);
    expect(judged.out).toMatch(
      /reads column "latency", which .*v2\.csv lacks; it has task, at, score, failed, latency_s, cost_usd/,
    );
  });
});

describe("against a server", () => {
  let street: Street;
  let env: Record<string, string>;
  const WINDOW = ["--start", "2026-11-19T08:00:00Z", "--end", "2026-11-19T08:30:00Z"];
  beforeAll(async () => {
    street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`, {
      TOUCHSTONE_TOKEN: "0123456789abcdef",
    });
    env = { TOUCHSTONE_URL: street.url, TOUCHSTONE_TOKEN: "0123456789abcdef" };
  }, 60_000);
  afterAll(() => street.stop());

  test("run waits for the verdict, get and list read it back", async () => {
    const started = await run(
      ["run", "--analysis", "batch-eval", "--baseline", "v1", "--candidate", "v2", ...WINDOW],
      env,
    );
    expect(started.code, started.err).toBe(1);
    expect(started.out).toMatch(/^rollback: quality/);
    const id = /run_[0-9a-f]{32}/.exec(started.err)?.[0] ?? "";
    expect(await run(["get", id], env)).toMatchObject({ code: 0, out: expect.stringMatching(/^rollback: /) });
    expect(JSON.parse((await run(["get", id, "-o", "json"], env)).out)).toMatchObject({ id, verdict: "rollback" });
    expect((await run(["wait", id], env)).code).toBe(1);
    expect((await run(["list", "--verdict", "rollback"], env)).out).toMatch(
      new RegExp(`^${id} .* rollback +batch-eval  v1 → v2  rollback: quality`),
    );
  });

  test("run sends an analysis along, and without waiting exits 0 with the id", async () => {
    const sent = await run(
      [
        "run",
        "-f",
        BATCH,
        "--baseline",
        "v1",
        "--candidate",
        "v3",
        ...WINDOW,
        "--rollout",
        "prod/agent@5",
        "-o",
        "json",
      ],
      env,
    );
    expect(sent.code, sent.err).toBe(0);
    const queued = await run(
      ["run", "--analysis", "batch-eval", "--baseline", "v1", "--candidate", "v3", ...WINDOW, "--no-wait"],
      env,
    );
    expect(queued).toMatchObject({ code: 0, out: expect.stringMatching(/^run_[0-9a-f]{32} queued\n$/) });
  });

  test("run names the targets to tell, and a name that nobody has configured is refused", async () => {
    const told = await run(
      ["run", "--analysis", "batch-eval", "--baseline", "v1", "--candidate", "v3", "--notify", "a", "--notify", "b"],
      env,
    );
    expect(told.code).toBe(64);
    expect(told.err).toMatch(/notify\[0\] no notification target named a is configured/);
    expect(told.err).toMatch(/notify\[1\] no notification target named b is configured/);
  });

  test("waiting too long exits 75, a cancelled run exits 2", async () => {
    const later = ["--start", new Date().toISOString(), "--end", new Date(Date.now() + 3_600_000).toISOString()];
    const waited = await run(
      ["run", "--analysis", "batch-eval", "--baseline", "v1", "--candidate", "v3", ...later, "--timeout", "1s"],
      env,
    );
    expect(waited.code).toBe(75);
    const id = /run_[0-9a-f]{32}/.exec(waited.err)?.[0] ?? "";
    await street.ask("POST", `/v1/runs/${id}/cancel`, undefined, { authorization: "Bearer 0123456789abcdef" });
    expect(await run(["wait", id], env)).toMatchObject({
      code: 2,
      out: expect.stringMatching(/cancelled: cancelled by request/),
    });
  });

  test("schedules are put, listed, read and deleted", async () => {
    const path = await file(
      "nightly.yaml",
      "name: nightly\nanalysis: batch-eval\nbaseline: known-good\ncandidate: { label: v3 }\ncron: 0 2 * * *\ntimeZone: Europe/Berlin\n",
    );
    const put = await run(["schedule", "put", "-f", path, "--idempotency-key", "k1"], env);
    expect(put, put.err).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^nightly: batch-eval, known-good → v3, 0 2 \* \* \* Europe\/Berlin, missed slots: run-once\nnext {2}\S+T0[01]:00:00\.000Z/,
      ),
    });
    expect((await run(["schedule", "list"], env)).out).toMatch(
      /^nightly {2}batch-eval {2}known-good → v3 {2}0 2 \* \* \* Europe\/Berlin {2}next \S+Z\n$/,
    );
    const listed = JSON.parse((await run(["schedule", "list", "-o", "json"], env)).out);
    expect(listed).toMatchObject([{ name: "nightly", lastSlot: null }]);
    const read = JSON.parse((await run(["schedule", "get", "nightly", "-o", "json"], env)).out);
    expect(read).toMatchObject({ name: "nightly", nextSlot: listed[0].nextSlot, lastSlots: [] });
    const other = await file("paused.yaml", `${await readFile(path, "utf8")}paused: true\n`);
    expect(await run(["schedule", "put", "-f", other, "--idempotency-key", "k1"], env)).toMatchObject({
      code: 64,
      err: expect.stringMatching(/Idempotency-Key "k1" was used for another request/),
    });
    expect((await run(["schedule", "put", "-f", other], env)).out).toMatch(/\npaused\n$/);
    expect(await run(["schedule", "delete", "nightly"], env)).toMatchObject({ code: 0, out: "deleted: nightly\n" });
    expect(await run(["schedule", "get", "nightly"], env)).toMatchObject({
      code: 64,
      err: expect.stringMatching(/there is no schedule named nightly/),
    });
    const bad = await file(
      "bad.yaml",
      "name: n\nanalysis: a\nbaseline: known-good\ncandidate: newest\ncron: 0 25 * * *\n",
    );
    expect(await run(["schedule", "put", "-f", bad], env)).toMatchObject({
      code: 64,
      err: expect.stringMatching(
        /bad\.yaml is not a valid schedule:\n {2}cron is not a cron line: Invalid value for hour: 25 \(line 5\)/,
      ),
    });
  });

  test("what the server refuses is told with its field", async () => {
    expect(await run(["run", "--analysis", "nope", "--baseline", "v1", "--candidate", "v2"], env)).toMatchObject({
      code: 64,
      err: expect.stringMatching(/there is no analysis named nope\n {2}analysis names no stored analysis/),
    });
    expect(await run(["get", "run_unknown"], env)).toMatchObject({
      code: 64,
      err: expect.stringMatching(/there is no run run_unknown/),
    });
    expect(await run(["get", "run_unknown"], { ...env, TOUCHSTONE_TOKEN: "another-token-of-16" })).toMatchObject({
      code: 64,
      err: expect.stringMatching(/the token is not valid/),
    });
    expect(await run(["list"], { TOUCHSTONE_URL: "http://127.0.0.1:1" })).toMatchObject({
      code: 69,
      err: expect.stringMatching(/cannot be reached/),
    });
  });
});

describe("validate, migrate and the rest", () => {
  test("validate accepts what ships and prints what is in force", async () => {
    expect(await run(["validate", BATCH])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/batch-eval is valid, 4 metrics/),
    });
    expect(JSON.parse((await run(["validate", BATCH, "-o", "json"])).out)).toMatchObject({
      name: "batch-eval",
      plan: { minUnits: 30 },
    });
  });

  test("validate names a source that is not configured", async () => {
    const sources = await file("sources.yaml", "sources:\n- { name: other, type: file, root: . }\n");
    expect(await run(["validate", BATCH], { TOUCHSTONE_SOURCES: sources })).toMatchObject({
      code: 64,
      err: expect.stringMatching(/no source named files is configured/),
    });
  });

  test("migrate needs a database", async () => {
    expect(await run(["migrate"])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/migrate needs DATABASE_URL/),
    });
    expect(await run(["migrate"], { DATABASE_URL: "postgres://x/y" })).toMatchObject({
      code: 0,
      out: "the schema is current\n",
    });
  });

  test("help and version exit 0, an unknown command 64, a bug 70", async () => {
    expect(await run(["--help"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Exit code: 0 promote, 1 rollback, 2 pause/),
    });
    expect(await run(["--version"])).toMatchObject({ code: 0, out: "touchstone 0.1.0\n" });
    expect((await run(["juge"])).code).toBe(64);
    expect(await run(["serve"])).toMatchObject({
      code: 70,
      err: expect.stringMatching(/a bug: Error: not in this test/),
    });
  });
});
