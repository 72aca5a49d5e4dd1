import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** What happens to the bytes that pass. */
export type Fault =
  | { readonly kind: "none" }
  /** Accepted and dropped; connections stay open. */
  | { readonly kind: "blackhole" }
  /** A new connection is reset at once. */
  | { readonly kind: "refuse" }
  /** Both ends are reset with the next bytes. */
  | { readonly kind: "reset" }
  /** So many bytes of each answer pass, then the connection is reset. */
  | { readonly kind: "truncate"; readonly after: number };

/** Stands between a client and its server on loopback, and does harm on demand. */
export interface FaultProxy {
  readonly port: number;
  set(fault: Fault): void;
  close(): Promise<void>;
}

export async function startFaultProxy(target: number): Promise<FaultProxy> {
  let fault: Fault = { kind: "none" };
  const sockets = new Set<Socket>();

  const carry = (from: Socket, to: Socket, isAnswer: boolean): void => {
    let passed = 0;
    const break_ = () => {
      from.resetAndDestroy();
      to.resetAndDestroy();
    };
    from.on("data", (chunk) => {
      switch (fault.kind) {
        case "none":
        case "refuse":
          to.write(chunk);
          return;
        case "blackhole":
          return;
        case "reset":
          break_();
          return;
        case "truncate":
          if (!isAnswer) {
            to.write(chunk);
            return;
          }
          to.write(chunk.subarray(0, Math.max(0, fault.after - passed)), break_);
          passed += chunk.length;
      }
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };

  const server = createServer((client) => {
    sockets.add(client);
    if (fault.kind === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    sockets.add(upstream);
    carry(client, upstream, false);
    carry(upstream, client, true);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      fault = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
