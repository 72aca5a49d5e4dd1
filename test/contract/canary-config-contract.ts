import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { migrate } from "../../src/store/migrations.ts";
import type { Sql } from "../../src/store/sql.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import type { Store } from "../../src/store/store.ts";

/** What every record promises of canary configs, whichever database keeps it. */
export function canaryConfigContract(name: string, open: () => Promise<Sql>): void {
  describe(`canary configs on ${name}`, () => {
    let sql: Sql;
    let store: Store;
    beforeAll(async () => {
      sql = await open();
      await migrate(sql);
      store = createSqlStore(sql);
    });
    afterAll(() => store.close());
    beforeEach(() => sql.query("delete from touchstone.canary_configs"));

    const put = (
      id: string,
      config: { name?: string; applications?: string[]; replace?: boolean; project?: string } = {},
    ) =>
      store.putCanaryConfig(
        config.project ?? "default",
        config.replace === true ? id : null,
        (now) => ({
          id,
          name: config.name ?? id,
          applications: config.applications ?? ["shop"],
          updatedTimestampIso: now,
        }),
        "a test",
      );

    test("a config comes back as it was stored, at the time of the database, and goes when it is deleted", async () => {
      const stored = await put("a");
      expect(Math.abs(Date.parse(stored.updatedTimestampIso ?? "") - Date.now())).toBeLessThan(60_000);
      expect(await store.readCanaryConfig("default", "a")).toEqual(stored);
      expect(await store.readCanaryConfig("another", "a")).toBeNull();
      expect(await store.deleteCanaryConfig("another", "a", "a test")).toBe(false);
      expect(await store.deleteCanaryConfig("default", "a", "a test")).toBe(true);
      expect(await store.readCanaryConfig("default", "a")).toBeNull();
    });

    test("configs are listed in the order of their making, by any of the applications", async () => {
      await put("b", { applications: ["shop", "till"] });
      await put("a", { applications: ["till"] });
      await put("c", { project: "another" });
      const ids = async (...applications: string[]) =>
        (await store.listCanaryConfigs("default", applications)).map(({ id }) => id);
      expect(await ids()).toEqual(["b", "a"]);
      expect(await ids("till")).toEqual(["b", "a"]);
      expect(await ids("shop", "warehouse")).toEqual(["b"]);
      expect(await ids("warehouse")).toEqual([]);
    });

    test("of many who take one name at once, one has it", async () => {
      const fates = await Promise.allSettled(["a", "b", "c", "d"].map((id) => put(id, { name: "one" })));
      expect(fates.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const [config] = await store.listCanaryConfigs("default", []);
      await put(config?.id ?? "", { name: "two", replace: true });
      await expect(put("e", { name: "one" })).resolves.toMatchObject({ id: "e" });
      await expect(put("e", { name: "two", replace: true })).rejects.toMatchObject({ code: "conflict" });
      await expect(put("e")).rejects.toThrow("Canary config 'e' already exists.");
      await expect(put("f", { replace: true })).rejects.toThrow("Canary config 'f' does not exist.");
    });
  });
}
