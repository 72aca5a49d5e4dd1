import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A metric source that answers every range query after so many milliseconds, without a store behind it. */
export async function startSource(delayMs: number): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const parameters = new URLSearchParams(body === "" ? (request.url ?? "").split("?")[1] : body);
      const [start, end, step] = ["start", "end", "step"].map((name) => Number(parameters.get(name)));
      // Versions differ in their phase, so that no arm equals the other.
      const phase = Buffer.from(parameters.get("query") ?? "").reduce((sum, letter) => sum + letter, 0);
      const values: [number, string][] = [];
      for (let at = start ?? 0; at <= (end ?? 0); at += step || 60)
        values.push([at, String(200 + 20 * Math.sin(at / 97 + phase) + ((at + phase) % 7))]);
      const data = { resultType: "matrix", result: [{ metric: {}, values }] };
      setTimeout(() => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ status: "success", data }));
      }, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
