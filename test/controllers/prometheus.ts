import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One question of a range, as Prometheus is asked it. */
export interface RangeQuestion {
  readonly query: string;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** A Prometheus on loopback that gives one series per question, or the status of a fault. */
export async function startPrometheus(
  answer: (question: RangeQuestion) => number | ((at: number) => number | string) | Promise<number>,
): Promise<{ url: string; asked: RangeQuestion[]; close(): Promise<void> }> {
  const asked: RangeQuestion[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const form = new URLSearchParams(body);
      const [start, end, step] = ["start", "end", "step"].map((name) => Number(form.get(name)));
      const question = { query: form.get("query") ?? "", start, end, step };
      asked.push(question);
      void Promise.resolve(answer(question)).then((valueAt) => {
        if (typeof valueAt === "number") {
          response.writeHead(valueAt).end("{}");
          return;
        }
        const values: [number, string][] = [];
        for (let at = start; at <= end; at += step) values.push([at, String(valueAt(at))]);
        const result = [{ metric: { job: "x" }, values }];
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
