import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFileSource, fileInFolder } from "../../src/sources/file.ts";
import { readTable } from "../../src/sources/table.ts";
import { ask } from "./requests.ts";

const SIGNAL = new AbortController().signal;
const ALL = { window: null };

async function folderWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-files-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function fetchFrom(
  files: Readonly<Record<string, string | Buffer>>,
  query: string,
  options: Parameters<typeof ask>[1] = ALL,
  pattern = "{{ version }}.csv",
) {
  const root = await folderWith(files);
  return createFileSource({ name: "files", fileOf: fileInFolder(root, pattern, 10_000) }).fetch(
    ask(query, options),
    SIGNAL,
  );
}

test("CSV columns become samples with unit, time and stratum", async () => {
  const csv =
    'score,session,at,class,"note, quoted"\n4,s1,2026-11-20T08:01:00Z,easy,"a ""b"""\n2.5,s2,2026-11-20T08:02:00Z,hard,x\n3,s1,2026-11-20T08:03:00Z,easy,y\n';
  expect(await fetchFrom({ "v2.csv": csv }, "{ value: score, unit: session, at: at, stratum: class }")).toEqual({
    samples: {
      shape: "samples",
      values: Float64Array.of(4, 2.5, 3),
      units: Int32Array.of(0, 1, 0),
      unitNames: ["s1", "s2"],
      at: Float64Array.of(1795161660, 1795161720, 1795161780),
      strata: Int32Array.of(0, 1, 0),
      stratumNames: ["easy", "hard"],
    },
    faults: [],
    warnings: [],
  });
});

test("columns beside the value are kept by row: instrument, gold label, covariate, trace link", async () => {
  const csv = "v,judge,human,before,trace\n4,j1,5,0.5,https://t/1\n3,j1,,0.25,\n2,,1,0,https://t/3\n1,j1,bad,1,x\n";
  const query = "{ value: v, instrument: judge, gold: human, covariate: before, traceUrl: trace }";
  const { samples, faults } = await fetchFrom({ "v2.csv": csv }, query, { ...ALL, kind: "score" });
  expect(samples).toMatchObject({
    values: Float64Array.of(4, 3, 2),
    instruments: { codes: Int32Array.of(0, 0, 1), names: ["j1", ""] },
    gold: Float64Array.of(5, Number.NaN, 1),
    covariates: Float64Array.of(0.5, 0.25, 0),
    traceUrls: { codes: Int32Array.of(0, 1, 2), names: ["https://t/1", "", "https://t/3"] },
  });
  // A label that is no number makes its row unusable: it is neither a label nor none.
  expect(faults).toEqual([{ kind: "not_a_number", count: 1, example: '"bad"' }]);
});

test("NDJSON values become samples, booleans count as one and zero", async () => {
  const { samples, faults } = await fetchFrom(
    { "v2.ndjson": '{"v":1}\n\n{"v":true}\n{"v":"2.5"}\n{"v":null}\n{"other":1}\n{"v":1e999}\n' },
    "{ value: v }",
    ALL,
    "{{ version }}.ndjson",
  );
  expect(samples).toMatchObject({ values: Float64Array.of(1, 1, 2.5), units: null, at: null });
  expect(faults.map(({ kind, count }) => [kind, count])).toEqual([
    ["infinite", 1],
    ["missing", 2],
  ]);
});

test("rows are chosen by where, and by the window when there is a time", async () => {
  const csv =
    "v,system,at\n1,v2,2026-11-20T07:59:59Z\n2,v2,2026-11-20T08:00:00Z\n3,v1,2026-11-20T08:01:00Z\n4,v2,2026-11-20T08:05:00Z\n5,v2,soon\n";
  const query = "{ value: v, at: at, where: { system: '{{ version }}' } }";
  const windowed = await fetchFrom({ "all.csv": csv }, query, {}, "all.csv");
  expect(windowed.samples).toMatchObject({ values: Float64Array.of(2) });
  expect(windowed.faults).toEqual([{ kind: "bad_time", count: 1, example: '"soon"' }]);
  expect((await fetchFrom({ "all.csv": csv }, query.replace("at: at, ", ""), {}, "all.csv")).samples).toMatchObject({
    values: Float64Array.of(1, 2, 4, 5),
  });
});

test("events and exposure become counts; what cannot be is a fault", async () => {
  const { samples, faults } = await fetchFrom(
    { "v2.csv": "bad,all\n1,10\n5,3\n-1,10\n0,x\n2,20\n" },
    "{ events: bad, exposure: all }",
    { ...ALL, kind: "errors" },
  );
  expect(samples).toMatchObject({ shape: "counts", events: Float64Array.of(1, 2), exposure: Float64Array.of(10, 20) });
  expect(faults.map(({ kind }) => kind)).toEqual(["events_above_exposure", "negative", "not_a_number"]);
});

test("a column that the file lacks is named with those it has", async () => {
  await expect(fetchFrom({ "v2.csv": "score,id\n1,2\n" }, "{ value: scor }")).rejects.toThrow(
    /reads column "scor", which .*v2\.csv lacks; it has score, id/,
  );
});

test("nothing outside the folder is read, neither by name nor through a link", async () => {
  const outside = await folderWith({ "v2.csv": "v\n1\n" });
  const root = await folderWith({ "inner/v1.csv": "v\n1\n" });
  await symlink(join(outside, "v2.csv"), join(root, "v2.csv"));
  const source = (pattern: string) => createFileSource({ name: "files", fileOf: fileInFolder(root, pattern, 10_000) });
  await expect(source("{{ version }}.csv").fetch(ask("{ value: v }", ALL), SIGNAL)).rejects.toMatchObject({
    code: "source_refused",
  });
  await expect(
    source("{{ labels.file }}").fetch(
      ask("{ value: v }", {
        ...ALL,
        version: { label: "v", labels: { file: `../${outside.split("/").at(-1)}/v2.csv` } },
      }),
      SIGNAL,
    ),
  ).rejects.toMatchObject({ code: "source_refused" });
  await expect(
    source("inner/{{ version }}.csv").fetch(ask("{ value: v }", { ...ALL, version: { label: "v1" } }), SIGNAL),
  ).resolves.toBeDefined();
});

test.each<[string, string | Buffer, RegExp]>([
  ["an empty file", "", /holds no rows/],
  ["a header alone", "a,b\n", /holds no rows/],
  ["a binary file", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2]), /is a binary file/],
  ["bytes that are not UTF-8", Buffer.from([0x61, 0xff, 0xfe, 0x0a, 0x31]), /is not UTF-8/],
  ["a ragged line", "a,b\n1,2,3\n", /is not CSV/],
  ["a column twice", "a,a\n1,2\n", /two columns named "a"/],
  ["too many bytes", `a\n${"1\n".repeat(9000)}`, /has 18002 bytes, more than the 10000 allowed/],
])("%s is refused", async (_, content, message) => {
  const root = await folderWith({ "v2.csv": content });
  await expect(readTable(join(root, "v2.csv"), 10_000)).rejects.toThrow(message);
});

test("a broken line of NDJSON is named by its number, and a missing file by its path", async () => {
  const root = await folderWith({ "a.ndjson": '{"v":1}\n{"v":\n', "b.ndjson": "[1]\n" });
  await expect(readTable(join(root, "a.ndjson"), 1000)).rejects.toThrow(/a\.ndjson:2 is not JSON/);
  await expect(readTable(join(root, "b.ndjson"), 1000)).rejects.toThrow(/b\.ndjson:1 is not a JSON object/);
  await expect(readTable(join(root, "c.csv"), 1000)).rejects.toMatchObject({ code: "input_unavailable" });
});
