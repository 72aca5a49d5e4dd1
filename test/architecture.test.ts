import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SRC = join(ROOT, "src");

/** One floor of DESIGN section 3: what belongs to it, which floors below it may use, and which packages and parts of Node. */
interface Floor {
  readonly name: string;
  readonly holds: (path: string) => boolean;
  readonly floors: readonly string[];
  readonly packages: readonly (string | RegExp)[];
  /** Folders of the floor that may not know each other. */
  readonly apart?: boolean;
}

const inFolder = (folder: string) => (path: string) => path.startsWith(`${folder}/`);
const isOneOf =
  (...paths: string[]) =>
  (path: string) =>
    paths.includes(path);

/** From the ground up. An adapter is any file of an adapter folder but its port. */
const PORTS = [
  "sources/source.ts",
  "sources/admission.ts",
  "store/store.ts",
  "store/runs.ts",
  "store/controllers.ts",
  "store/work.ts",
  "store/analyses.ts",
  "store/canary-configs.ts",
  "store/audit.ts",
  "store/outbox.ts",
  "store/schedules.ts",
  "store/keeping.ts",
  "store/listed.ts",
  "doorbell/doorbell.ts",
  "notify/target.ts",
  "tracing/tracing.ts",
];
const FLOORS: readonly Floor[] = [
  { name: "errors", holds: isOneOf("errors.ts"), floors: [], packages: [] },
  {
    name: "model",
    holds: inFolder("model"),
    floors: ["errors"],
    packages: ["zod", "yaml", "croner", "lru-cache", "node:crypto"],
  },
  {
    name: "stats",
    holds: inFolder("stats"),
    floors: [],
    packages: [/^@stdlib\/(?:stats|math)\/base\/.+\/lib\/index\.js$/, "simple-statistics"],
  },
  {
    name: "judge",
    holds: inFolder("judge"),
    floors: ["stats", "model", "errors"],
    packages: ["simple-statistics", "node:crypto"],
  },
  { name: "kayenta", holds: inFolder("kayenta"), floors: ["judge", "stats", "model", "errors"], packages: [] },
  { name: "report", holds: inFolder("report"), floors: ["judge", "stats", "model"], packages: ["node:crypto"] },
  {
    name: "log",
    holds: isOneOf("log.ts", "address.ts", "http.ts", "post.ts", "telemetry.ts"),
    floors: ["errors", "model"],
    packages: ["pino", "undici", "prom-client", "node:dns", "node:net"],
  },
  { name: "port", holds: isOneOf(...PORTS), floors: ["model", "errors"], packages: [] },
  {
    name: "adapter",
    holds: (path) =>
      ["sources/", "store/", "doorbell/", "notify/", "tracing/"].some((folder) => path.startsWith(folder)) &&
      !PORTS.includes(path),
    floors: ["port", "model", "errors", "log"],
    packages: [
      "pg",
      "@electric-sql/pglite",
      "bullmq",
      "ioredis",
      "csv-parse/sync",
      /^@opentelemetry\//,
      "zod",
      /^node:(?:crypto|fs|fs\/promises|os|path|stream|stream\/promises|timers\/promises|util|zlib)$/,
    ],
    apart: true,
  },
  {
    name: "corner",
    holds: isOneOf(
      "look.ts",
      "recorded-look.ts",
      "start-run.ts",
      "start-canary.ts",
      "start-standalone.ts",
      "fetch-metric-set.ts",
      "metric-set-pairs.ts",
      "schedule.ts",
    ),
    floors: ["judge", "stats", "model", "kayenta", "report", "errors", "port"],
    packages: ["node:zlib"],
  },
  {
    name: "replay",
    holds: isOneOf("backtest.ts", "rejudge.ts"),
    floors: ["corner", "judge", "kayenta", "model", "errors", "port"],
    packages: [],
  },
  {
    name: "door",
    holds: (path) => ["api/", "worker/", "cli/"].some((folder) => path.startsWith(folder)),
    floors: ["replay", "corner", "judge", "stats", "model", "kayenta", "report", "errors", "port", "log", "config"],
    packages: [
      "express",
      "helmet",
      "pino-http",
      "commander",
      "yaml",
      "zod",
      /^node:(?:crypto|path|fs\/promises|worker_threads|child_process|events)$/,
    ],
    apart: true,
  },
  {
    name: "config",
    holds: isOneOf("config.ts"),
    floors: ["model", "errors"],
    packages: ["zod", "yaml", /^node:(?:fs|path)$/],
  },
  {
    name: "root",
    holds: isOneOf(
      "wire-sources.ts",
      "wire-targets.ts",
      "wire.ts",
      "main.ts",
      "look-thread.ts",
      "look-process.ts",
      "judge-thread.ts",
      "pack-record.ts",
    ),
    floors: [
      "errors",
      "model",
      "stats",
      "judge",
      "kayenta",
      "report",
      "log",
      "port",
      "adapter",
      "corner",
      "door",
      "config",
    ],
    packages: [/^node:/, "yaml", "zod"],
  },
];

/** What of an adapter folder is no vendor's adapter, so that others of the folder and doors may share it. */
const SHARED_BY_DOORS = new Set(["sources/observed.ts"]);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isPackage: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));

function importsOf(path: string): Import[] {
  const text = readFileSync(join(SRC, path), "utf8");
  const found = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;"']*?from\s*"([^"]+)"|(?:^|\n)\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g,
    ),
  ];
  return found.map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? "";
    const isPackage = !target.startsWith(".");
    return { from: path, to: isPackage ? target : relative(SRC, resolve(SRC, dirname(path), target)), isPackage };
  });
}

function floorOf(path: string): Floor {
  const floor = FLOORS.find(({ holds }) => holds(path));
  if (floor === undefined)
    throw new Error(`src/${path} belongs to no floor; give it one in test/architecture.test.ts and in DESIGN's table`);
  return floor;
}

const imports = files.filter((path) => !path.endsWith(".d.ts")).flatMap(importsOf);

test("there are imports to look at", () => {
  expect(files.length).toBeGreaterThan(50);
  expect(imports.length).toBeGreaterThan(200);
});

test("an import points down the table of floors, never up or sideways", () => {
  const wrong = imports
    .filter(({ isPackage }) => !isPackage)
    .filter(({ from, to }) => {
      const [own, other] = [floorOf(from), floorOf(to)];
      if (own === other) return own.apart === true && from.split("/")[0] !== to.split("/")[0];
      return !own.floors.includes(other.name) && !SHARED_BY_DOORS.has(to);
    })
    .map(({ from, to }) => `src/${from} (${floorOf(from).name}) imports src/${to} (${floorOf(to).name})`);
  expect(wrong).toEqual([]);
});

test("each floor imports only its own vendors", () => {
  const wrong = imports
    .filter(({ isPackage }) => isPackage)
    .filter(
      ({ from, to }) =>
        !floorOf(from).packages.some((allowed) => (typeof allowed === "string" ? allowed === to : allowed.test(to))),
    )
    .map(({ from, to }) => `src/${from} (${floorOf(from).name}) imports ${to}`);
  expect(wrong).toEqual([]);
});

test("only the wire files name a concrete adapter", () => {
  const wrong = imports
    .filter(({ to, isPackage }) => !isPackage && floorOf(to).name === "adapter" && !SHARED_BY_DOORS.has(to))
    .filter(({ from }) => floorOf(from).name !== "adapter" && !/^wire(?:-\w+)?\.ts$/.test(from))
    .map(({ from, to }) => `src/${from} imports src/${to}`);
  expect(wrong).toEqual([]);
});

test("each vendor is known to its own adapters alone", () => {
  const users = (name: string) => imports.filter(({ to }) => to === name).map(({ from }) => from);
  expect(users("bullmq")).toEqual(["doorbell/bullmq.ts"]);
  expect(users("ioredis")).toEqual(["doorbell/bullmq.ts"]);
  expect(users("pg").sort()).toEqual(["sources/postgres.ts", "store/postgres.ts"]);
  expect(users("@electric-sql/pglite")).toEqual(["store/pglite.ts"]);
  expect(new Set(imports.filter(({ to }) => to.startsWith("@opentelemetry/")).map(({ from }) => from))).toEqual(
    new Set(["tracing/otlp.ts"]),
  );
});

test("process.env is read by config.ts alone", () => {
  const readers = files.filter((path) =>
    /\bprocess\.env\b|\bfrom "node:process"/.test(readFileSync(join(SRC, path), "utf8")),
  );
  expect(readers).toEqual(["config.ts"]);
});

test("the pure floors have no clock and no chance", () => {
  const pure = files.filter((path) =>
    ["stats/", "judge/", "kayenta/", "report/", "model/"].some((folder) => path.startsWith(folder)),
  );
  const wrong = pure.filter((path) =>
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(|\brandomBytes\(|\brandomUUID\(/.test(
      readFileSync(join(SRC, path), "utf8"),
    ),
  );
  expect(wrong).toEqual([]);
});
