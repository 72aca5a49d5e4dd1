import { afterAll, beforeAll, expect, test } from "vitest";
import { startStreet, type Street } from "../street.ts";
import { startPrometheus } from "./prometheus.ts";

const START = "2026-11-19T08:00:00Z";
const ASKED = {
  metricName: "latency",
  scope: "v2",
  location: "eu",
  start: START,
  end: "2026-11-19T08:10:00Z",
  step: "60",
};
const FILTER = { customFilter: 'version="${scope}",zone="${location}"', labelBindings: 'job="x"' };

let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
let street: Street;
beforeAll(async () => {
  prometheus = await startPrometheus(({ query }) => {
    if (query.includes("broken")) return 500;
    return (at) => (at % 180 === 0 ? "NaN" : at - Date.parse(START) / 1000);
  });
  street = await startStreet(
    `sources:\n- { name: prometheus, type: prometheus, url: "${prometheus.url}", retries: 0 }\n`,
  );
});
afterAll(async () => {
  await street.stop();
  await prometheus.close();
});

const fetch_ = (parameters: Readonly<Record<string, string>>, type = "prometheus") =>
  street.ask("POST", `/kayenta/fetch/${type}/query?${new URLSearchParams(parameters).toString()}`);

test("a dry run answers the query and asks nothing", async () => {
  const before = prometheus.asked.length;
  const { status, body } = await fetch_({ ...ASKED, ...FILTER, dryRun: "true" });
  expect([status, body]).toEqual([200, { query: 'avg(latency{version="v2",zone="eu",job="x"})' }]);
  expect(prometheus.asked.length).toBe(before);
});

test("the id is read as a metric set: a value per step, NaN as a word", async () => {
  const { status, body, text } = await fetch_({ ...ASKED, ...FILTER, metricSetName: "my latency" });
  expect(status, text).toBe(200);
  const read = await street.ask("GET", `/kayenta/metricSetList/${body.metricSetListId}?accountName=default`);
  expect(read.status, read.text).toBe(200);
  expect(read.body).toEqual([
    {
      name: "my latency",
      tags: {},
      startTimeMillis: Date.parse(START),
      startTimeIso: "2026-11-19T08:00:00.000Z",
      endTimeMillis: Date.parse(ASKED.end),
      endTimeIso: "2026-11-19T08:10:00.000Z",
      stepMillis: 60_000,
      // Of ten steps every third ends at a full three minutes.
      values: [60, 120, "NaN", 240, 300, "NaN", 420, 480, "NaN", 600],
      attributes: { query: 'avg(latency{version="v2",zone="eu",job="x"})' },
    },
  ]);
});

test("steps are counted from a start that is no full minute, to the millisecond", async () => {
  const [start, end] = ["2026-11-19T08:00:30.123Z", "2026-11-19T08:05:30.123Z"];
  const { body } = await fetch_({ ...ASKED, ...FILTER, start, end });
  const read = await street.ask("GET", `/kayenta/metricSetList/${body.metricSetListId}`);
  const values: number[] = read.body[0].values;
  expect(values.length).toBe(5);
  for (const [step, value] of values.entries()) expect(value).toBeCloseTo(30.123 + 60 * (step + 1), 3);
});

test.each<[Readonly<Record<string, string>>, RegExp]>([
  [{ ...ASKED, ...FILTER, metricName: "" }, /metricName/],
  [{ ...ASKED, ...FILTER, start: "yesterday" }, /\/start/],
  [{ ...ASKED, ...FILTER, end: START }, /end is 2026-11-19T08:00:00Z, less than a step/],
  [{ ...ASKED, ...FILTER, step: "0" }, /\/step/],
  [{ ...ASKED, ...FILTER, step: "1m" }, /\/step/],
  [{ ...ASKED, ...FILTER, start: "2016-11-19T08:00:00Z" }, /more than 11000 steps/],
  [{ ...ASKED, ...FILTER, metricsAccountName: "other" }, /Unable to resolve account other/],
  [{ ...ASKED }, /neither a resourceType nor a template/],
  [{ ...ASKED, ...FILTER, groupByFields: "zone" }, /groups by zone/],
  [{ ...ASKED, customFilter: 'version="${scope}",tier="${tier}"' }, /args\/tier is missing/],
])("%o is a 400 that says why", async (parameters, message) => {
  const { status, body } = await fetch_(parameters);
  expect([status, body.message]).toEqual([400, expect.stringMatching(message)]);
});

test("what there is not is a 404, a source that fails an error of its own", async () => {
  expect((await fetch_({ ...ASKED, ...FILTER }, "atlas")).status).toBe(404);
  for (const id of ["nothing", "query-", "query-e30", "query-%00"])
    expect((await street.ask("GET", `/kayenta/metricSetList/${id}`)).status, id).toBe(404);
  const { body } = await fetch_({ ...ASKED, ...FILTER, metricName: "broken" });
  const { status, body: fault } = await street.ask("GET", `/kayenta/metricSetList/${body.metricSetListId}`);
  expect(status).toBeGreaterThanOrEqual(500);
  expect(fault.message).toMatch(/500/);
});
