import { TouchstoneError } from "../errors.ts";
import type { Ask } from "./sql.ts";
import type { Idempotency } from "./runs.ts";

/**
 * Takes the key, waiting for another request that holds it at this moment.
 *
 * @returns what the first request with this key and body stored, or null when this is the first.
 */
export async function takeKey(
  tx: Ask,
  project: string,
  { route, key, bodyDigest }: Idempotency,
): Promise<string | null> {
  const inserted = await tx.query(
    "insert into touchstone.idempotency_keys (project, route, key, body_digest) values ($1, $2, $3, $4) on conflict do nothing returning key",
    [project, route, key, bodyDigest],
  );
  if (inserted.length === 1) return null;
  const [stored] = await tx.query<{ body_digest: string; outcome: string | null }>(
    "select body_digest, outcome from touchstone.idempotency_keys where project = $1 and route = $2 and key = $3",
    [project, route, key],
  );
  if (stored?.body_digest !== bodyDigest)
    throw new TouchstoneError(
      "idempotency_mismatch",
      `the Idempotency-Key ${JSON.stringify(key)} was used for another request`,
    );
  return stored.outcome ?? "";
}

/** What a repeated request with this key finds. */
export async function keepOutcome(
  tx: Ask,
  project: string,
  { route, key }: Idempotency,
  outcome: string,
): Promise<void> {
  await tx.query("update touchstone.idempotency_keys set outcome = $4 where project = $1 and route = $2 and key = $3", [
    project,
    route,
    key,
    outcome,
  ]);
}
