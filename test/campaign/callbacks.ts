import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

/** The name under which runs ask to be told. */
export const TARGET = "campaign";

/** The file behind TOUCHSTONE_TARGETS for a receiver. */
export const targetsYaml = (url: string): string =>
  `targets:\n- { name: ${TARGET}, type: webhook, url: "${url}", allowPrivate: true, secrets: ["env:CAMPAIGN_SECRET"] }\n`;

/** What the secret of the target stands for. */
export const TARGET_ENV = { CAMPAIGN_SECRET: `whsec_${Buffer.alloc(32, 7).toString("base64")}` };

/** Takes callbacks and keeps the bytes of each; some it refuses, so that they must come again. */
export interface CallbackReceiver {
  readonly url: string;
  /** Event id → every body that came with it, refused ones included. */
  readonly received: ReadonlyMap<string, readonly string[]>;
  close(): Promise<void>;
}

/** Only what tells events apart. */
export const Event = z.object({ id: z.string(), type: z.string(), data: z.object({ run: z.string() }) });

/** @param refuse  decides of each delivery whether it is answered 500. */
export async function startCallbackReceiver(refuse: () => boolean): Promise<CallbackReceiver> {
  const received = new Map<string, string[]>();
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { id } = Event.parse(JSON.parse(body));
      received.set(id, [...(received.get(id) ?? []), body]);
      response.writeHead(refuse() ? 500 : 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callbacks`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
