import { setTimeout as pause } from "node:timers/promises";
import { Pool } from "undici";
import { seeded } from "../../src/stats/random.ts";

export interface Loaded {
  /** Milliseconds from when a request was due to the last byte of its answer. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Answered within the time of the load. */
  readonly perSecond: number;
}

export interface OpenLoad {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly body?: string;
  /** Requests per second, on average. */
  readonly rate: number;
  readonly seconds: number;
}

const CONNECTIONS = 50;
const SEED = 20261122;

/**
 * Requests as many independent callers send them: at random times (a Poisson process, the same at each call), however long the answers take. One that waits for a connection has waited since it was due.
 *
 * autocannon has a rate too, but sends each second's requests in one burst at the beginning of it.
 *
 * @throws Error at the first answer that is not 2xx, or does not come.
 */
export async function openLoad({ url, method, body, rate, seconds }: OpenLoad): Promise<Loaded> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const random = seeded(SEED);
  const milliseconds: number[] = [];
  const answers: Promise<void>[] = [];
  const faults: unknown[] = [];
  const began = performance.now();
  const end = began + seconds * 1000;
  let inTime = 0;

  const ask = async (due: number): Promise<void> => {
    const answer = await pool.request({ path: pathname, method, headers, body: body ?? null });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${url} was answered ${answer.statusCode}: ${text}`);
    const now = performance.now();
    milliseconds.push(now - due);
    if (now <= end) inTime += 1;
  };

  for (let due = began; due < end && faults.length === 0; due += (-Math.log(1 - random()) * 1000) / rate) {
    const wait = due - performance.now();
    // A timer is a millisecond late; what is due by then goes out together.
    if (wait > 0) await pause(wait);
    answers.push(ask(due).catch((fault: unknown) => void faults.push(fault)));
  }
  await Promise.all(answers);
  await pool.close();
  if (faults.length > 0) throw faults[0];
  milliseconds.sort((a, b) => a - b);
  const quantile = (q: number) => milliseconds[Math.ceil(q * milliseconds.length) - 1] ?? NaN;
  return { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1), perSecond: inTime / seconds };
}
