import { loadavg } from "node:os";
import { stdout } from "node:process";
import { parseArgs } from "node:util";
import { measureCeiling } from "./scaling/ceiling.ts";
import { measureRate } from "./scaling/rate.ts";
import { measureRecord } from "./scaling/record.ts";
import { measureSource } from "./scaling/source.ts";
import { startStack, type Stack } from "./scaling/stack.ts";
import { bundleProbed } from "./service/probed-process.ts";

/**
 * The figures of docs/scaling.md, each part on servers of its own.
 *
 *   npm run bench scaling -- [--part rate|record|source] [--runs 400] [--live 100000] [--rows 10000000]
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      part: { type: "string" },
      runs: { type: "string", default: "400" },
      live: { type: "string", default: "100000" },
      rows: { type: "string", default: "10000000" },
    },
  });
  const parts: Readonly<Record<string, (stack: Stack) => Promise<void>>> = {
    rate: (stack) => measureRate(stack, Number(values.runs)),
    async record(stack) {
      await measureRecord(stack, Number(values.live));
      await measureCeiling(stack);
    },
    source: (stack) => measureSource(stack, Number(values.rows)),
  };
  const wanted = Object.entries(parts).filter(([name]) => values.part === undefined || values.part === name);
  if (wanted.length === 0) throw new Error(`no part ${values.part}; there are ${Object.keys(parts).join(", ")}`);
  bundleProbed();
  for (const [name, measure] of wanted) {
    stdout.write(`\n${name}; load average ${loadavg()[0]?.toFixed(1)}\n`);
    const stack = await startStack();
    try {
      await measure(stack);
    } finally {
      await stack.close();
    }
  }
}
