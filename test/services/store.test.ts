import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { checkSchema, migrate, SCHEMA_VERSION } from "../../src/store/migrations.ts";
import { createPostgresSql } from "../../src/store/postgres.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { scheduleContract } from "../contract/schedule-contract.ts";
import { storeContract } from "../contract/store-contract.ts";
import { createDatabase } from "./database.ts";

const serverUrl = inject("postgresUrl");
const ignore = () => undefined;

describe.skipIf(serverUrl === null)("Postgres", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createDatabase(serverUrl ?? "");
  });
  afterAll(() => database.drop());

  const open = () =>
    Promise.resolve(createPostgresSql({ connectionString: database.url, poolSize: 10, onError: ignore }));
  storeContract("Postgres", open);
  scheduleContract("Postgres", open);

  test("an empty database is refused with what to do, and two migrations at once take turns", async () => {
    const other = await createDatabase(serverUrl ?? "");
    const open = () => createPostgresSql({ connectionString: other.url, poolSize: 2, onError: ignore });
    const [a, b] = [open(), open()];
    await expect(checkSchema(a)).rejects.toThrow(
      new RegExp(`schema version 0, this program needs ${SCHEMA_VERSION}; run: touchstone migrate`),
    );
    const taken = await Promise.all([migrate(a), migrate(b)]);
    expect(taken.map((steps) => steps.length).toSorted((x, y) => x - y)).toEqual([0, SCHEMA_VERSION]);
    await checkSchema(b);
    await Promise.all([a.close(), b.close()]);
    await other.drop();
  });

  test("a database that cannot be reached is unavailable, in bounded time", async () => {
    const store = createSqlStore(
      createPostgresSql({ connectionString: "postgres://postgres@127.0.0.1:1/x", poolSize: 1, onError: ignore }),
    );
    await expect(store.ping()).rejects.toMatchObject({ code: "store_unavailable" });
    await store.close();
  });
});
