import { setTimeout as pause } from "node:timers/promises";
import { RunView } from "../../src/model/run.ts";
import type { Random } from "../../src/stats/random.ts";
import type { RunRequest } from "./requests.ts";

/** What a caller was answered in the end, and how often it had to ask. */
export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly tries: number;
}

/** A run that an answer in the 200s promised. */
export interface Accepted {
  readonly id: string;
  readonly request: RunRequest;
  readonly key: string;
}

/** Everything that callers saw. */
export interface Callers {
  /**
   * Asks as a caller behind a load balancer does: a broken connection or a 503 is tried again at the next API, until there is an answer.
   *
   * @throws Error when there is none within a minute and a half.
   */
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>;
  /** Starts a run under a key of its own. @returns null when it was refused for good (409). */
  start(request: RunRequest): Promise<Accepted | null>;
  /** Counts a run as accepted that was posted without these callers. */
  adopt(run: Accepted): void;
  read(id: string): Promise<RunView>;
  readonly accepted: ReadonlyMap<string, Accepted>;
  /** Runs that were asked to be cancelled. */
  readonly cancelled: Set<string>;
  readonly counts: { posts: number; refused: number; retries: number; unavailable: number; reads: number };
  /** Contradictions, as people read them. */
  readonly faults: readonly string[];
}

const GIVE_UP_MS = 90_000;
const TRY_MS = 15_000;
/** Between two tries. */
const BACKOFF_MS = 100;

export function createCallers(urls: () => readonly string[], random: Random, name: string): Callers {
  const accepted = new Map<string, Accepted>();
  const ends = new Map<string, string>();
  const faults: string[] = [];
  const counts = { posts: 0, refused: 0, retries: 0, unavailable: 0, reads: 0 };
  let keys = 0;

  const ask: Callers["ask"] = async (method, path, body, headers = {}) => {
    const late = performance.now() + GIVE_UP_MS;
    let last = "nobody was there";
    for (let tries = 1; performance.now() < late; tries += 1) {
      const live = urls();
      const url = live[Math.floor(random() * live.length)];
      if (url !== undefined) {
        try {
          const response = await fetch(`${url}${path}`, {
            method,
            headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
            signal: AbortSignal.timeout(TRY_MS),
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          });
          const text = await response.text();
          if (response.status !== 503) return { status: response.status, text, headers: response.headers, tries };
          if (response.headers.get("retry-after") === null) faults.push(`${method} ${path}: 503 without Retry-After`);
          last = `503 ${text}`;
          counts.unavailable += 1;
        } catch (error) {
          last = String(error);
        }
        counts.retries += 1;
      }
      await pause(BACKOFF_MS);
    }
    throw new Error(`${method} ${path} was not answered within ${GIVE_UP_MS / 1000} s; last: ${last}`);
  };

  return {
    ask,
    async start(request) {
      keys += 1;
      const key = `${name}-${keys}`;
      counts.posts += 1;
      const { status, text } = await ask("POST", "/v1/runs", request.body, { "idempotency-key": key });
      if (status === 409) {
        counts.refused += 1;
        return null;
      }
      if (status !== 202 && status !== 200) {
        faults.push(`POST /v1/runs answered ${status}: ${text}`);
        return null;
      }
      const one = { id: RunView.parse(JSON.parse(text)).id, request, key };
      if (!accepted.has(one.id)) accepted.set(one.id, one);
      return one;
    },
    adopt: (run) => void accepted.set(run.id, run),
    async read(id) {
      counts.reads += 1;
      const { status, text } = await ask("GET", `/v1/runs/${id}`);
      if (status !== 200) throw new Error(`GET /v1/runs/${id} answered ${status}: ${text}`);
      const view = RunView.parse(JSON.parse(text));
      const before = ends.get(id);
      if (before !== undefined && before !== text)
        faults.push(`I2: run ${id} had ended and reads differently now:\n${before}\n${text}`);
      if (view.dueAt === null) ends.set(id, text);
      return view;
    },
    accepted,
    cancelled: new Set(),
    counts,
    faults,
  };
}
