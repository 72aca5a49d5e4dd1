import { setTimeout as pause } from "node:timers/promises";
import type { Verdict } from "../../src/model/finding.ts";
import type { Callers } from "../../test/campaign/callers.ts";
import { TARGET } from "../../test/campaign/callbacks.ts";
import { seeded } from "../../src/stats/random.ts";

/** What the source does for a candidate whose label begins so; of twenty runs so many each. */
const KINDS = { good: 14, bad: 4, silent: 2 } as const;
const EXPECTED = { good: "promote", bad: "rollback", silent: "pause" } as const satisfies Record<string, Verdict>;
type Kind = keyof typeof KINDS;

export function expectedOf(label: string): Verdict {
  const kind = label.split("-")[0];
  if (kind === undefined || !(kind in EXPECTED)) throw new RangeError(`nobody knows what becomes of ${label}`);
  return EXPECTED[kind as Kind];
}

const KIND_OF_TWENTY = Object.entries(KINDS).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
const labelOf = (n: number, more: string): string => `${KIND_OF_TWENTY[n % KIND_OF_TWENTY.length]}-${more}${n}`;

const metric = {
  name: "latency",
  kind: "latency",
  source: "metrics",
  tier: "critical",
  query: { series: 'agent_latency{version="{{ version }}"}' },
};
const analysis = (name: string, plan: object): object => ({
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name },
  spec: { unit: "step", plan, metrics: [metric] },
});

/** One metric; one look back at half an hour, or looks for twelve seconds. */
export const ANALYSES = [
  analysis("one-look", { mode: "once", duration: "30m", step: "60s", settle: "0s" }),
  analysis("many-looks", { mode: "scheduled", duration: "12s", every: "2s", step: "1s", settle: "0s" }),
];

/** What a schedule of a day may have at most, an hour long. */
export const EVERY = "1m";
export const EVERY_SECONDS = 60;

/** Stores so many schedules, evenly over the time between two of their slots, so that slots come evenly as well. */
export async function putSchedules(callers: Callers, count: number): Promise<void> {
  const always = () => Promise.resolve(true);
  const { failed } = await evenly(count, EVERY_SECONDS, always, async (n) => {
    const name = `s${n}`;
    const notify = n % 10 === 0 ? { notify: [TARGET] } : {};
    const schedule = {
      name,
      analysis: "one-look",
      baseline: { label: "v1" },
      candidate: { label: labelOf(n, "s") },
      every: EVERY,
      ...notify,
    };
    const { status, text } = await callers.ask("PUT", `/v1/schedules/${name}`, schedule);
    if (status !== 200) throw new Error(`PUT /v1/schedules/${name} answered ${status}: ${text}`);
  });
  if (failed.length > 0) throw new Error(`${failed.length} schedules could not be stored; the first: ${failed[0]}`);
}

/** No more slots. */
export async function pauseSchedules(callers: Callers, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const { text } = await callers.ask("GET", `/v1/schedules/s${n}`);
    const { schedule } = JSON.parse(text) as { schedule: object };
    const { status } = await callers.ask("PUT", `/v1/schedules/s${n}`, { ...schedule, paused: true });
    if (status !== 200) throw new Error(`PUT /v1/schedules/s${n} answered ${status}`);
  }
}

/** Of a hundred posts: looks for twelve seconds, runs of a rollout whose revisions supersede each other, and posts that are repeated under their key; a tenth is told to a target, a tenth waited for. */
const SHARES = { manyLooks: 0.03, rollout: 0.05, repeated: 0.05, told: 0.1, awaited: 0.1 };
const ROLLOUTS = 50;

/** More live runs than this are not wanted at once: what grows should be the service's doing and not that of a machine which has too much to do. */
const MOST_LIVE = 500;

/**
 * Posts so many runs, evenly over the seconds, each from a caller of its own; a post that comes late delays no other, but none is made while too many runs are live.
 *
 * @param live  how many there are.
 * @returns how many were posted, fewer than asked for where the machine could not carry more, and which of them had no answer in the end.
 */
export async function postRuns(
  callers: Callers,
  count: number,
  seconds: number,
  live: () => Promise<number>,
): Promise<Begun> {
  const late = performance.now() + seconds * 1000;
  const hasRoom = async () => {
    while ((await live()) > MOST_LIVE) {
      if (performance.now() > late) return false;
      await pause(500);
    }
    return true;
  };
  const random = seeded(5, 1);
  return evenly(count, seconds, hasRoom, async (n) => {
    const [kind, repeat, told, awaited] = [random(), random(), random(), random()];
    const isRollout = kind < SHARES.rollout;
    const label = labelOf(n, "p");
    const rollout = { namespace: "soak", name: `agent-${n % ROLLOUTS}`, revision: String(n) };
    const body = {
      analysis: kind > 1 - SHARES.manyLooks ? "many-looks" : "one-look",
      baseline: { label: "v1" },
      candidate: { label },
      ...(isRollout ? { rollout } : {}),
      ...(told < SHARES.told ? { notify: [TARGET] } : {}),
    };
    const run = await callers.start({ body, expected: expectedOf(label) });
    if (run === null) return;
    if (repeat < SHARES.repeated) {
      const again = await callers.ask("POST", "/v1/runs", body, { "idempotency-key": run.key });
      const { id } = JSON.parse(again.text) as { id: string };
      if (id !== run.id) throw new Error(`the key of ${run.id} found ${id}`);
    }
    await callers.ask("GET", `/v1/runs/${run.id}${awaited < SHARES.awaited ? "?wait=10s" : ""}`);
  });
}

interface Begun {
  readonly done: number;
  readonly failed: readonly string[];
}

/**
 * Does a thing so many times, each begun when it is due and none waiting for another.
 *
 * @param mayBegin  waited for before each; false ends it.
 * @returns how many were begun, and what those said that failed.
 */
async function evenly(
  count: number,
  seconds: number,
  mayBegin: () => Promise<boolean>,
  one: (n: number) => Promise<void>,
): Promise<Begun> {
  const began = performance.now();
  const faults: unknown[] = [];
  const open = new Set<Promise<void>>();
  let done = 0;
  for (; done < count; done += 1) {
    const wait = began + (done * seconds * 1000) / count - performance.now();
    if (wait > 0) await pause(wait);
    if (!(await mayBegin())) break;
    const work = one(done).catch((error: unknown) => void faults.push(error));
    open.add(work);
    void work.finally(() => open.delete(work));
  }
  await Promise.all(open);
  return { done, failed: faults.map(String) };
}
