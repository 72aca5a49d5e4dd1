import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database of its own on the server, gone with `drop`. */
export async function createDatabase(serverUrl: string): Promise<{
  url: string;
  query: (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
  drop(): Promise<void>;
}> {
  const name = `t_${randomBytes(6).toString("hex")}`;
  const admin = async (text: string) => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await admin(`create database ${name}`);
  const url = serverUrl.replace(/\/[^/]*$/, `/${name}`);
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on("error", () => undefined);
  return {
    url,
    query: (text, values) => pool.query(text, values),
    async drop() {
      await pool.end();
      await admin(`drop database ${name} with (force)`);
    },
  };
}
