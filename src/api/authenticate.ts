import { createHash, timingSafeEqual } from "node:crypto";
import type { RequestHandler, Response } from "express";
import { TouchstoneError } from "../errors.ts";

/** What may bear the token in its path: callers that can send no header of their own. */
const HOOKS = /^\/(?:v1\/(?:argo|flagger)|flagger|kayenta|judge)(?:[/?]|$)/;

/** Takes the token out of a path `/t/{token}/…`, before anything is logged or routed. */
export const takeTokenFromPath: RequestHandler = (request, response, next) => {
  const [, given, rest = ""] = /^\/t\/([^/?]*)(.*)$/s.exec(request.url) ?? [];
  if (given !== undefined) {
    request.url = rest.startsWith("/") ? rest : `/${rest}`;
    request.originalUrl = request.url;
    if (HOOKS.test(request.url)) response.locals[PATH_TOKEN] = decode(given);
  }
  next();
};

const PATH_TOKEN = "pathToken";

/** What no encoding gives is no token. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/**
 * Lets a request through that bears the token: as `Authorization: Bearer`, as the password of Basic, which browsers can ask for, or in the path of a hook.
 *
 * Without a token only this machine may call, and only under one of its own names: a page on the web that points its own name at 127.0.0.1 is turned away.
 */
export function authenticate(token: string | null): RequestHandler {
  if (token === null) return refuseForeignHost;
  const wanted = digest(token);
  return (request, response, next) => {
    const inPath: unknown = response.locals[PATH_TOKEN];
    const given = tokenIn(request.get("authorization")) ?? (typeof inPath === "string" ? inPath : null);
    // Digests have equal length, which timingSafeEqual needs, and hide where two tokens differ.
    if (given !== null && timingSafeEqual(digest(given), wanted)) {
      response.locals[ACTOR] = "token";
      return next();
    }
    response.setHeader("www-authenticate", 'Bearer realm="touchstone", Basic realm="touchstone"');
    throw new TouchstoneError(
      "unauthorized",
      given === null
        ? "send the token as Authorization: Bearer, as the password of Basic, or to a hook as /t/{token}/…"
        : "the token is not valid",
    );
  };
}

const ACTOR = "actor";

/** How the caller was let in, for the audit log: `token`, or `local` where no token is set. */
export function actorOf(response: Response): string {
  const actor: unknown = response.locals[ACTOR];
  if (typeof actor !== "string") throw new RangeError("the request was not authenticated");
  return actor;
}

const refuseForeignHost: RequestHandler = (request, response, next) => {
  const host = (request.get("host") ?? "").replace(/:\d+$/, "");
  if (/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(host)) {
    response.locals[ACTOR] = "local";
    return next();
  }
  throw new TouchstoneError("forbidden", "without a token Touchstone answers only as localhost; set TOUCHSTONE_TOKEN");
};

function tokenIn(authorization: string | undefined): string | null {
  const [scheme = "", value = ""] = (authorization ?? "").split(" ", 2);
  if (value === "") return null;
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return null;
  const decoded = Buffer.from(value, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  return colon < 0 ? null : decoded.slice(colon + 1);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
