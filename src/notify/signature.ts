import { createHmac } from "node:crypto";

const PREFIX = "whsec_";

/**
 * The key of a Standard Webhooks secret.
 *
 * @param secret  `whsec_` and the key in base64.
 * @throws RangeError when it is written otherwise, or the key has fewer than 24 or more than 64 bytes. The message does not hold the secret.
 *
 * Source: Standard Webhooks 1.0, "Signature scheme", https://github.com/standard-webhooks/standard-webhooks
 */
export function readKey(secret: string): Buffer {
  const base64 = secret.slice(PREFIX.length);
  if (!secret.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw new RangeError(`is not ${PREFIX} followed by base64`);
  const key = Buffer.from(base64, "base64");
  if (key.length < 24 || key.length > 64)
    throw new RangeError(`holds a key of ${key.length} bytes; Standard Webhooks wants 24 to 64`);
  return key;
}

/**
 * The `webhook-signature` header: for each key `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64, separated by spaces.
 *
 * @param timestamp  of this attempt, whole seconds since the epoch.
 */
export function sign(keys: readonly Buffer[], id: string, timestamp: number, body: string): string {
  const signed = `${id}.${timestamp}.${body}`;
  return keys.map((key) => `v1,${createHmac("sha256", key).update(signed).digest("base64")}`).join(" ");
}

/** The three headers of Standard Webhooks. @param now  seconds since the epoch. */
export function signedHeaders(keys: readonly Buffer[], id: string, now: number, body: string): Record<string, string> {
  const timestamp = Math.floor(now);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": sign(keys, id, timestamp, body),
  };
}
