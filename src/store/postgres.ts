import pg from "pg";
import { isTouchstoneError } from "../errors.ts";
import { toStoreError, type Sql, type SqlValue } from "./sql.ts";

export interface PostgresSqlOptions {
  readonly connectionString: string;
  readonly poolSize: number;
  /** Told of connections that break. */
  readonly onError: (error: Error) => void;
}

/** The record on a Postgres server: a pool whose every wait is bounded, so that a frozen database is an error and not a hang. */
export function createPostgresSql({ connectionString, poolSize, onError }: PostgresSqlOptions): Sql {
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    application_name: "touchstone",
    connectionTimeoutMillis: 2000,
    statement_timeout: 5000,
    query_timeout: 6000,
    idle_in_transaction_session_timeout: 10_000,
  });
  pool.on("error", onError);

  const ask = async <Row extends object>(
    client: pg.Pool | pg.PoolClient,
    text: string,
    values: readonly SqlValue[] = [],
    prepared?: string,
  ): Promise<Row[]> => {
    try {
      return (
        await client.query<Row>({ text, values: [...values], ...(prepared === undefined ? {} : { name: prepared }) })
      ).rows;
    } catch (error) {
      throw toStoreError(error);
    }
  };

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw toStoreError(error);
    }
  };

  return {
    query: (text, values, prepared) => ask(pool, text, values, prepared),
    async transaction(work) {
      const client = await connect();
      // The statement at hand reports a broken connection as well; but the event would end the process if nobody heard it.
      client.on("error", onError);
      let broken = true;
      try {
        await ask(client, "begin");
        const result = await work({ query: (text, values, prepared) => ask(client, text, values, prepared) });
        await ask(client, "commit");
        broken = false;
        return result;
      } catch (error) {
        // A frozen database would take as long again to leave the rollback unanswered; without its connection it rolls back by itself.
        if (!(isTouchstoneError(error) && error.code === "store_unavailable"))
          broken = await ask(client, "rollback").then(
            () => false,
            () => true,
          );
        throw error;
      } finally {
        client.off("error", onError);
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}
