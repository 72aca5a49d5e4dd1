import { InvalidArgumentError, Option } from "commander";
import type { AuditHead } from "../model/audit.ts";
import { Instant } from "../model/time.ts";
import { VersionLabel } from "../model/version.ts";

/** Options and their readers that several commands share. */

export function tableOrJson(): Option {
  return new Option("-o, --output <format>", "what to print").choices(["table", "json"]).default("table");
}

export function whole(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= lowest && number <= highest) return number;
    throw new InvalidArgumentError(`must be a whole number from ${lowest} to ${highest}`);
  };
}

export function auditHead(text: string): AuditHead {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new InvalidArgumentError("write seq:hash, as verify audit prints it");
  return { seq: Number(match[1]), hash: match[2] ?? "" };
}

export function label(text: string): string {
  return check(VersionLabel.safeParse(text));
}

export function instant(text: string): Instant {
  return new Date(check(Instant.safeParse(text))).toISOString();
}

/** What a schema says of an argument. @throws InvalidArgumentError with its first fault. */
export function check<T>(
  parsed: { success: true; data: T } | { success: false; error: { issues: readonly { message: string }[] } },
): T {
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? "is not valid");
}
