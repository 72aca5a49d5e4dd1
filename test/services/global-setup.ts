import type { TestProject } from "vitest/node";
import { toOpenMetrics } from "../../fixtures/agent/history.ts";
import {
  findProgram,
  startPostgres,
  startPrometheus,
  startRedis,
  startVictoriaMetrics,
  type Server,
} from "./servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Null where the machine has no such server; the tests that need it are then listed as skipped. */
    readonly redisUrl: string | null;
    readonly postgresUrl: string | null;
    readonly prometheusUrl: string | null;
    readonly nativePrometheusUrl: string | null;
    readonly victoriaUrl: string | null;
  }
}

/** Starts what the services project needs, once, and ends it by process id. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers: Server[] = [];
  const start = async (programs: readonly string[], begin: () => Promise<Server>): Promise<string | null> => {
    if (programs.some((name) => findProgram(name) === null)) return null;
    const server = await begin();
    servers.push(server);
    return server.url;
  };
  const [redisUrl, postgresUrl, prometheusUrl, nativePrometheusUrl, victoriaUrl] = await Promise.all([
    start(["redis-server"], startRedis),
    start(["initdb", "postgres", "pg_isready"], startPostgres),
    start(["prometheus", "promtool"], () => startPrometheus({ history: toOpenMetrics() })),
    start(["prometheus"], () => startPrometheus({ native: true })),
    start(["victoria-metrics"], async () => {
      const server = await startVictoriaMetrics();
      await server.load(toOpenMetrics());
      return server;
    }),
  ]);
  project.provide("redisUrl", redisUrl);
  project.provide("postgresUrl", postgresUrl);
  project.provide("prometheusUrl", prometheusUrl);
  project.provide("nativePrometheusUrl", nativePrometheusUrl);
  project.provide("victoriaUrl", victoriaUrl);
  return async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
}
