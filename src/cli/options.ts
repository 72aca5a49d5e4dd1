import { InvalidArgumentError, Option } from "commander";
import type { AuditHead } from "../model/audit.ts";

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
