import type { Command, Option } from "commander";
import { canonicalJson } from "../model/canonical.ts";
import { readSchedule } from "../model/read-schedule.ts";
import type { Schedule, ScheduledArm, ScheduleListItem, ScheduleSlot, ScheduleView } from "../model/schedule.ts";
import type { Client } from "./client.ts";
import { toColumns } from "./columns.ts";
import { readText } from "./judge-files.ts";

type Format = "table" | "json";

const TIMEOUT_MS = 30_000;

/** `touchstone schedule list | get | put | delete`, against a server. */
export function addScheduleCommands(
  command: Command,
  client: () => Client,
  stdout: (text: string) => void,
  output: () => Option,
): void {
  const signal = () => AbortSignal.timeout(TIMEOUT_MS);

  command
    .command("list")
    .description("print the schedules, their next slot and what became of the last")
    .addOption(output())
    .action(async (options: { output: Format }) => {
      stdout(printSchedules(await client().listSchedules(signal()), options.output));
    });

  command
    .command("get <name>")
    .description("print a schedule, its next slots and what became of the last ten")
    .addOption(output())
    .action(async (name: string, options: { output: Format }) => {
      stdout(printSchedule(await client().readSchedule(name, signal()), options.output));
    });

  command
    .command("put")
    .description("store a schedule; it holds from the next slot on")
    .requiredOption("-f, --file <schedule.yaml>", "the schedule")
    .option("--idempotency-key <key>", "makes a repeated command the same request")
    .addOption(output())
    .action(async (options: { file: string; idempotencyKey?: string; output: Format }) => {
      const schedule = readSchedule(await readText(options.file), options.file);
      const view = await client().putSchedule(schedule, options.idempotencyKey ?? null, signal());
      stdout(printSchedule(view, options.output));
    });

  command
    .command("delete <name>")
    .description("delete a schedule and the list of its slots; runs that it started stay and go on")
    .action(async (name: string) => {
      await client().deleteSchedule(name, signal());
      stdout(`deleted: ${name}\n`);
    });
}

function printSchedules(items: readonly ScheduleListItem[], format: Format): string {
  if (format === "json") return `${canonicalJson(items)}\n`;
  const rows = items.map(({ name, schedule, nextSlot, lastSlot }) => [
    name,
    schedule.analysis,
    armsOf(schedule),
    timesOf(schedule),
    nextSlot === null ? "paused" : `next ${nextSlot}`,
    lastSlot === null ? "" : `last ${outcomeOf(lastSlot)}`,
  ]);
  return linesOf(toColumns(rows));
}

function printSchedule(view: ScheduleView, format: Format): string {
  if (format === "json") return `${canonicalJson(view)}\n`;
  const { name, schedule, nextSlots, lastSlots } = view;
  const rows = lastSlots.map((slot) => [slot.slot, outcomeOf(slot), slot.detail ?? ""]);
  return linesOf([
    `${name}: ${schedule.analysis}, ${armsOf(schedule)}, ${timesOf(schedule)}, missed slots: ${schedule.missed}`,
    nextSlots.length === 0 ? "paused" : `next  ${nextSlots.join("  ")}`,
    ...toColumns(rows),
  ]);
}

function outcomeOf({ outcome, run, code, slots }: ScheduleSlot): string {
  return `${outcome} ${run ?? code ?? ""}${slots > 1 ? ` (${slots} slots)` : ""}`;
}

function armsOf({ baseline, candidate }: Schedule): string {
  return `${labelOf(baseline)} → ${labelOf(candidate)}`;
}

function labelOf(arm: ScheduledArm): string {
  return typeof arm === "string" ? arm : arm.label;
}

function timesOf({ cron, timeZone, every }: Schedule): string {
  return cron === undefined ? `every ${every}` : `${cron} ${timeZone ?? "UTC"}`;
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
