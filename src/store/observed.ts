import { isTouchstoneError } from "../errors.ts";
import type { Sql } from "./sql.ts";

/** How one statement or transaction ended, `ok` or the code of its error, and how long it took. */
export type ObserveStatement = (outcome: string, seconds: number) => void;

/** The same database, each statement and each transaction told to `observe`. A transaction is one, whatever is in it. */
export function observedSql(sql: Sql, observe: ObserveStatement): Sql {
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const end = (outcome: string) => observe(outcome, (performance.now() - started) / 1000);
    try {
      const done = await work();
      end("ok");
      return done;
    } catch (error) {
      end(isTouchstoneError(error) ? error.code : "internal");
      throw error;
    }
  };
  return {
    query: (text, values, prepared) => timed(() => sql.query(text, values, prepared)),
    transaction: (work) => timed(() => sql.transaction(work)),
    close: () => sql.close(),
  };
}
