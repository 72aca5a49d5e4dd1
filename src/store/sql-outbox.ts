import { z } from "zod";
import { EventType, type DeliveryView } from "../model/event.ts";
import { Instant } from "../model/time.ts";
import type { Sql } from "./sql.ts";
import type { Delivery, Outbox } from "./outbox.ts";

const DueRow = z.object({
  event_id: z.string(),
  target: z.string(),
  run_id: z.string(),
  type: EventType,
  body: z.string(),
  attempts: z.int(),
  age: z.number(),
});
const StatusRow = z.object({
  event_id: z.string(),
  target: z.string(),
  type: EventType,
  attempts: z.int(),
  created_at: Instant,
  next_at: Instant,
  delivered_at: Instant.nullable(),
  given_up_at: Instant.nullable(),
  last_error: z.string().nullable(),
});

const OPEN = "delivered_at is null and given_up_at is null";
/** A delivery may be settled only by the attempt that claimed it. */
const MINE = `event_id = $1 and target = $2 and attempts = $3 and ${OPEN}`;

/** Events that have not reached their target yet, and the memory of those that have. */
export const createOutbox = (sql: Sql): Outbox => ({
  async claimDeliveries(leaseSeconds, limit, except) {
    const rows = await sql.query(
      `update touchstone.outbox o set attempts = attempts + 1, lease_until = now() + make_interval(secs => $1)
       from (
         select event_id, target from touchstone.outbox
         where ${OPEN} and next_at <= now() and (lease_until is null or lease_until <= now()) and not (target = any($2))
         order by next_at limit $3 for update skip locked) due
       where o.event_id = due.event_id and o.target = due.target
       returning o.event_id, o.target, o.run_id, o.type, o.body, o.attempts, extract(epoch from now() - o.created_at)::float8 as age`,
      [leaseSeconds, except, limit],
    );
    return rows.map((row): Delivery => {
      const { event_id: eventId, run_id: run, age, ...rest } = DueRow.parse(row);
      return { eventId, run, ageSeconds: age, ...rest };
    });
  },

  async settleDelivery({ eventId, target, attempts }, outcome) {
    const mine = [eventId, target, attempts];
    const rows =
      outcome.kind === "delivered"
        ? await sql.query(
            `update touchstone.outbox set delivered_at = now(), lease_until = null, last_error = null where ${MINE} returning 1 as one`,
            mine,
          )
        : outcome.kind === "later"
          ? await sql.query(
              `update touchstone.outbox set next_at = now() + make_interval(secs => $4), lease_until = null, last_error = $5 where ${MINE} returning 1 as one`,
              [...mine, outcome.seconds, outcome.reason.slice(0, 1000)],
            )
          : await sql.query(
              `update touchstone.outbox set given_up_at = now(), lease_until = null, last_error = $4 where ${MINE} returning 1 as one`,
              [...mine, outcome.reason.slice(0, 1000)],
            );
    return rows.length === 1;
  },

  async giveUpOldDeliveries(targets, olderThanSeconds) {
    const rows = await sql.query<{ target: string }>(
      `update touchstone.outbox set given_up_at = now(), lease_until = null, last_error = coalesce(last_error, 'its target was not answering')
       where ${OPEN} and target = any($1) and created_at <= now() - make_interval(secs => $2) and (lease_until is null or lease_until <= now())
       returning target`,
      [targets, olderThanSeconds],
    );
    return rows.map(({ target }) => target);
  },

  async outboxLag() {
    const [row] = await sql.query<{ waiting: number; oldest: number }>(
      `select count(*)::int as waiting, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest from touchstone.outbox where ${OPEN}`,
    );
    return { waiting: row?.waiting ?? 0, oldestSeconds: row?.oldest ?? 0 };
  },

  async listDeliveries(project, run) {
    const rows = await sql.query(
      `select event_id, target, type, attempts, touchstone.iso(created_at) as created_at, touchstone.iso(next_at) as next_at,
         touchstone.iso(delivered_at) as delivered_at, touchstone.iso(given_up_at) as given_up_at, last_error
       from touchstone.outbox where project = $1 and run_id = $2 order by outbox.created_at, event_id, target`,
      [project, run],
    );
    return rows.map((row): DeliveryView => {
      const {
        event_id: eventId,
        created_at: createdAt,
        next_at: nextAt,
        delivered_at,
        given_up_at,
        ...rest
      } = StatusRow.parse(row);
      const { last_error: lastError, ...status } = rest;
      const open = delivered_at === null && given_up_at === null;
      return {
        eventId,
        ...status,
        createdAt,
        nextAt: open ? nextAt : null,
        deliveredAt: delivered_at,
        givenUpAt: given_up_at,
        lastError,
      };
    });
  },
});
