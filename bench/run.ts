/**
 * `npm run bench`: says which benchmarks there are. `npm run bench stats`: runs one; what follows the name goes to it.
 */
import { argv, exit, stderr, stdout } from "node:process";

interface Benchmark {
  readonly about: string;
  readonly load: () => Promise<{ run: (args: string[]) => Promise<void> }>;
}

/** Each is loaded only when asked for, so that one with a fault hides no other. */
const benchmarks: Readonly<Record<string, Benchmark>> = {
  stats: {
    about: "the rank statistics beside scipy and Kayenta's interval, and the cost of a whole look",
    load: () => import("./stats.ts"),
  },
  judge: { about: "right and wrong verdicts beside the rules of others, simulated", load: () => import("./judge.ts") },
  "kayenta-oracle": {
    about: "the compatibility judge on the test vectors of Kayenta's own classifier",
    load: () => import("./kayenta-oracle.ts"),
  },
  kayenta: {
    about:
      "Kayenta's own judge, compiled from a checkout, beside ours on random requests, and the speed of POST /judge",
    load: () => import("./kayenta.ts"),
  },
  service: {
    about: "posts, reads and a backlog on the whole stack, beside a bare Express with one insert",
    load: () => import("./service.ts"),
  },
  soak: {
    about: "a day of schedules in an hour: what grows, and whether every run has one verdict",
    load: () => import("./soak.ts"),
  },
  "event-loop": {
    about: "how long a worker's main loop makes others wait while a look holds a million samples per arm",
    load: () => import("./event-loop.ts"),
  },
  scaling: {
    about: "what a look costs the record, the bell and a worker, by workers and live runs",
    load: () => import("./scaling.ts"),
  },
  start: {
    about: "from start to ready, embedded, with an empty folder and with a record",
    load: () => import("./start.ts"),
  },
  pairs: { about: "verdicts on real pairs whose change others have published", load: () => import("./pairs.ts") },
};

/** The exit code for wrong usage, as sysexits.h has it. */
const USAGE = 64;

const [name, ...args] = argv.slice(2);
if (name === undefined) {
  stdout.write(list());
} else if (Object.hasOwn(benchmarks, name)) {
  const { run } = await benchmarks[name].load();
  await run(args);
} else {
  stderr.write(`no benchmark named "${name}"\n${list()}`);
  exit(USAGE);
}

function list(): string {
  const lines = Object.entries(benchmarks).map(([known, { about }]) => `  npm run bench ${known.padEnd(16)}${about}\n`);
  return `benchmarks:\n${lines.join("")}`;
}
