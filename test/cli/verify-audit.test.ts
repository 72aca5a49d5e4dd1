import { describe, expect, test } from "vitest";
import { verifyAudit } from "../../src/cli/verify-audit.ts";
import { AUDIT_START, linkAudit, type AuditHead, type AuditRecord } from "../../src/model/audit.ts";

/** A log of `length` records, as a server would have written it. */
function logOf(length: number): AuditRecord[] {
  const records: AuditRecord[] = [];
  let head: AuditHead = AUDIT_START;
  for (let i = 0; i < length; i++) {
    const record = linkAudit(head, `2026-11-21T08:00:${String(i % 60).padStart(2, "0")}.000Z`, {
      actor: "worker a",
      action: "run.done",
      subject: `run_${i}`,
      detail: { verdict: i % 2 === 0 ? "promote" : "rollback", error: null },
    });
    records.push(record);
    head = record;
  }
  return records;
}

const headOf = (records: readonly AuditRecord[]): AuditHead => {
  const last = records.at(-1);
  return last === undefined ? AUDIT_START : { seq: last.seq, hash: last.hash };
};

/** Serves `records` in pages of 7 under a head. */
const serverOf = (records: readonly AuditRecord[], head: AuditHead = headOf(records)) => ({
  readAudit: (cursor: string | null) => {
    const from = cursor === null ? 0 : Number(cursor);
    const items = records.slice(from, from + 7);
    return Promise.resolve({ items, nextCursor: from + 7 < records.length ? String(from + 7) : null, head });
  },
});

const check = (records: readonly AuditRecord[], head?: AuditHead, known: AuditHead | null = null) =>
  verifyAudit(serverOf(records, head), known, new AbortController().signal);

describe("the audit log", () => {
  const log = logOf(30);
  const at = (seq: number): AuditRecord => {
    const record = log[seq - 1];
    if (record === undefined) throw new RangeError(`the log has no record ${seq}`);
    return record;
  };

  test("is sound as it was written, empty too", async () => {
    expect(await check(log)).toEqual({ sound: true, head: headOf(log) });
    expect(await check([])).toEqual({ sound: true, head: AUDIT_START });
    expect(await check(log, headOf(log), { seq: 12, hash: at(12).hash })).toMatchObject({ sound: true });
  });

  test.each<[string, AuditRecord[], AuditHead | undefined, number, RegExp]>([
    [
      "a changed verdict",
      log.with(9, { ...at(10), detail: { verdict: "promote", error: null } }),
      undefined,
      10,
      /was changed/,
    ],
    [
      "a changed verdict with a fitting hash",
      log.with(9, linkAudit(at(9), at(10).at, { ...at(10), detail: { verdict: "promote", error: null } })),
      undefined,
      11,
      /does not follow/,
    ],
    ["a record taken out", log.toSpliced(14, 1), undefined, 15, /is missing; record 16/],
    ["the end cut off", log.slice(0, 25), headOf(log), 26, /cut off/],
    ["two records swapped", log.with(4, at(6)).with(5, at(5)), undefined, 5, /is missing; record 6/],
    ["a record put in twice", log.toSpliced(20, 0, at(20)), undefined, 21, /record 20 stands/],
    ["a head that is another's", log, { seq: 30, hash: "f".repeat(64) }, 30, /head of the log/],
  ])("%s is named", async (_name, records, head, seq, fault) => {
    const found = await check(records, head ?? headOf(log));
    expect(found).toMatchObject({ sound: false, seq });
    expect(found.sound ? "" : found.fault).toMatch(fault);
  });

  test("a log that was written anew from the start shows against a link that somebody kept", async () => {
    const forged = logOf(40).slice(0, 12);
    expect(await check(forged, headOf(forged), { seq: 12, hash: "0".repeat(64) })).toMatchObject({
      sound: false,
      seq: 12,
    });
    expect(await check(forged, headOf(forged), headOf(log))).toMatchObject({ sound: false, seq: 13 });
  });
});
