import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { seeded, type Random } from "../../src/stats/random.ts";

/**
 * A source that speaks Prometheus' query API and answers by the label of the version: the same series whenever it is asked, so that a look that is done twice sees
 * the same evidence.
 *
 * `good` is like the baseline, `bad` half as slow again, `silent` has no series, `broken` answers 500, `huge` sends hundreds of thousands of points, `poison` is reported to `onPoison` and never answered, and `hang` is never answered.
 */
export interface MetricsSource {
  readonly url: string;
  /** How long an answer takes at most, in milliseconds; each takes a random part of it. */
  setDelay(milliseconds: number): void;
  close(): Promise<void>;
}

export interface MetricsSourceOptions {
  readonly random: Random;
  /** @param port  of whoever asks. */
  readonly onPoison?: (label: string, port: number) => Promise<void>;
}

const BAD = 1.5;
/** Steps go up and down in turn, the candidate's further than the baseline's: neighbouring steps never resemble each other, so that no verdict hangs on chance. */
const SWING = { baseline: 0.003, candidate: 0.01 };

export async function startMetricsSource({ random, onPoison }: MetricsSourceOptions): Promise<MetricsSource> {
  let delayMs = 100;
  const timers = new Set<NodeJS.Timeout>();

  const answer = async (form: URLSearchParams, port: number, response: ServerResponse): Promise<void> => {
    const query = form.get("query") ?? "";
    const label = /version="([^"]+)"/.exec(query)?.[1] ?? "";
    if (label.startsWith("poison")) await onPoison?.(label, port);
    if (/^(?:poison|hang)/.test(label)) return;
    if (label.startsWith("broken")) {
      response.writeHead(500).end("the source is broken");
      return;
    }
    if (label.startsWith("huge")) {
      sendHuge(response);
      return;
    }
    const values = label.startsWith("silent") ? null : pointsOf(query, label, form);
    const result = values === null ? [] : [{ metric: { version: label }, values }];
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
  };

  const server = createServer((request, response) => {
    let body = "";
    const port = request.socket.remotePort ?? 0;
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void answer(new URLSearchParams(body), port, response);
      }, random() * delayMs);
      timers.add(timer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setDelay(milliseconds) {
      delayMs = milliseconds;
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const HUGE_POINTS = 900_000;

/** Under the byte limit of a source as the wire carries it, and far more in memory. */
function sendHuge(response: ServerResponse): void {
  const values = `[${'[1763539200,"1"],'.repeat(HUGE_POINTS)}[1763539200,"1"]]`;
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":${values}}]}}`);
}

/** One value per step, the same for the same query, version and second. */
function pointsOf(query: string, label: string, form: URLSearchParams): [number, string][] {
  const [start, end, step] = ["start", "end", "step"].map((name) => Number(form.get(name)));
  const points: [number, string][] = [];
  const level = label.startsWith("bad") ? BAD : 1;
  const swing = label === "v1" ? SWING.baseline : SWING.candidate;
  const seconds = step ?? 60;
  for (let at = start ?? 0; at <= (end ?? 0); at += seconds) {
    const size = 0.5 + 0.5 * seeded(Math.round(at), hashOf(`${query} ${label}`))();
    const sign = Math.round(at / seconds) % 2 === 0 ? 1 : -1;
    points.push([at, String(level * (1 + sign * swing * size))]);
  }
  return points;
}

function hashOf(text: string): number {
  let hash = 7;
  for (const char of text) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) | 0;
  return hash;
}
