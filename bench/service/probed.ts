import { once } from "node:events";
import { Session } from "node:inspector/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { readProcessConfig } from "../../src/config.ts";
import { startTouchstone, type Role } from "../../src/wire.ts";

/** What the parent may ask. */
export type ProbeRequest = { readonly kind: "held" } | { readonly kind: "delay" };

/** What a process holds once everything that it no longer needs is collected. */
export interface Held {
  readonly kind: "held";
  readonly heapBytes: number;
  /** Of all threads together. */
  readonly threadHeapBytes: number;
  /** Timers, sockets and the like that keep the process alive, by type. */
  readonly handles: Readonly<Record<string, number>>;
}

/** Delay of the main loop since the last question, in milliseconds; the timer that measures it comes every millisecond, which is in it. */
export interface Delay {
  readonly kind: "delay";
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

/**
 * `touchstone serve` of the same sources, with two differences: it answers its parent who asks what it holds, and the hourly rounds of retention may come sooner and delete younger runs than the
 * environment can ask for.
 */
const { values } = parseArgs({
  options: {
    role: { type: "string", default: "worker" },
    "keep-seconds": { type: "string" },
    "round-seconds": { type: "string" },
  },
});

/** Of the questions to the inspector of a thread. */
const COLLECT = 1;
const HEAP_USAGE = 2;

const delay = monitorEventLoopDelay({ resolution: 1 });
const inspector = new Session();
const threads = new Set<string>();

const config = readProcessConfig();
const keepSeconds = values["keep-seconds"];
const roundSeconds = values["round-seconds"];
const stopping = once(process, "SIGTERM");
const touchstone = await startTouchstone(
  keepSeconds === undefined
    ? config
    : { ...config, retention: { ageSeconds: Number(keepSeconds), contentBytes: null } },
  values.role as Role,
  roundSeconds === undefined
    ? {}
    : { keeping: { firstMs: Number(roundSeconds) * 1000, everyMs: Number(roundSeconds) * 1000 } },
);
inspector.connect();
inspector.on("NodeWorker.attachedToWorker", ({ params }) => void threads.add(params.sessionId));
inspector.on("NodeWorker.detachedFromWorker", ({ params }) => void threads.delete(params.sessionId));
await inspector.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
delay.enable();

process.on("message", (request: ProbeRequest) => {
  switch (request.kind) {
    case "held":
      void held().then((answer) => process.send?.(answer));
      break;
    case "delay":
      process.send?.(readDelay());
      delay.reset();
  }
});
process.send?.({ kind: "ready" });

await stopping;
await touchstone.stop();
process.exit();

async function held(): Promise<Held> {
  const threadHeapBytes = (await Promise.all([...threads].map(heapOfThread))).reduce((sum, bytes) => sum + bytes, 0);
  await inspector.post("HeapProfiler.collectGarbage");
  const handles: Record<string, number> = {};
  for (const type of process.getActiveResourcesInfo()) handles[type] = (handles[type] ?? 0) + 1;
  return { kind: "held", heapBytes: process.memoryUsage().heapUsed, threadHeapBytes, handles };
}

/** After its garbage is collected; 0 of a thread that has gone meanwhile. */
function heapOfThread(sessionId: string): Promise<number> {
  return new Promise((resolve) => {
    const settle = (bytes: number) => {
      inspector.off("NodeWorker.receivedMessageFromWorker", hear);
      inspector.off("NodeWorker.detachedFromWorker", leave);
      resolve(bytes);
    };
    const hear = ({ params }: { params: { sessionId: string; message: string } }) => {
      if (params.sessionId !== sessionId) return;
      const { id, result } = JSON.parse(params.message) as { id?: number; result?: { usedSize?: number } };
      if (id === HEAP_USAGE) settle(result?.usedSize ?? 0);
    };
    const leave = ({ params }: { params: { sessionId: string } }) => {
      if (params.sessionId === sessionId) settle(0);
    };
    inspector.on("NodeWorker.receivedMessageFromWorker", hear);
    inspector.on("NodeWorker.detachedFromWorker", leave);
    const ask = (id: number, method: string) =>
      inspector.post("NodeWorker.sendMessageToWorker", { sessionId, message: JSON.stringify({ id, method }) });
    void ask(COLLECT, "HeapProfiler.collectGarbage").then(() => ask(HEAP_USAGE, "Runtime.getHeapUsage"));
  });
}

function readDelay(): Delay {
  const ms = (nanoseconds: number) => nanoseconds / 1e6;
  return {
    kind: "delay",
    p50: ms(delay.percentile(50)),
    p99: ms(delay.percentile(99)),
    max: ms(delay.max),
    samples: delay.count,
  };
}
