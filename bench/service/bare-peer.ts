import { randomUUID } from "node:crypto";
import express from "express";
import pg from "pg";

/** The least that a service of this kind can do: Express reads JSON, pg inserts a row and reads it back. What Touchstone takes beyond it is its own. */
const pool = new pg.Pool({ connectionString: process.env["DATABASE_URL"], max: 10 });
await pool.query(
  "create table if not exists bare (id text primary key, body jsonb not null, at timestamptz not null default now())",
);
const app = express();
app.use(express.json());
app.post("/v1/runs", async (request, response) => {
  const id = randomUUID();
  await pool.query("insert into bare (id, body) values ($1, $2)", [id, request.body]);
  response.status(202).json({ id });
});
app.get("/v1/runs/:id", async (request, response) => {
  const { rows } = await pool.query<{ body: unknown }>("select body from bare where id = $1", [request.params.id]);
  response.json(rows[0]?.body ?? null);
});
app.get("/readyz", (_request, response) => {
  response.json({ status: "ok" });
});
app.listen(Number(process.env["PORT"]), "127.0.0.1");
