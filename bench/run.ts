/**
 * `npm run bench`: says which benchmarks there are. `npm run bench stats`: runs one; what follows the name goes to it.
 *
 * A benchmark prints measurements and asserts nothing but that both sides computed the same.
 */
import { argv, exit, stderr, stdout } from "node:process";

/** What each module beside this one measures. It is loaded only when asked for, so that one with a fault hides no other. */
const benchmarks: Readonly<Record<string, string>> = {
  stats: "the rank statistics beside scipy and Kayenta's interval, and the cost of a whole look",
  judge: "right and wrong verdicts beside other judges, on simulated rollouts",
  pairs: "verdicts on pairs of versions whose difference is known",
};

/** The exit code for wrong usage, as sysexits.h has it. */
const USAGE = 64;

const [name, ...args] = argv.slice(2);
if (name === undefined) {
  stdout.write(list());
} else if (Object.hasOwn(benchmarks, name)) {
  // The compiler cannot follow a computed path; each module's own `run(args: string[])` has this type.
  const { run } = (await import(`./${name}.ts`)) as { run: (args: string[]) => Promise<void> };
  await run(args);
} else {
  stderr.write(`no benchmark named "${name}"\n${list()}`);
  exit(USAGE);
}

function list(): string {
  const lines = Object.entries(benchmarks).map(([known, about]) => `  npm run bench ${known.padEnd(8)}${about}\n`);
  return `benchmarks:\n${lines.join("")}`;
}
