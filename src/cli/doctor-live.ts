import { TouchstoneError } from "../errors.ts";
import { z } from "zod";
import type { Trap, TrapCode } from "./doctor-manifest.ts";

/** A running Touchstone as a controller sees it. */
export interface Live {
  readonly url: string;
  readonly token: string | null;
}

interface Answer {
  readonly asked: string;
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

const TIMEOUT_MS = 10_000;
/** No analysis, canary or application is called so; what is asked about it opens and changes nothing. */
const NOBODY = "touchstone-doctor";
/** Flagger's clients call up to here a yes. */
const LAST_YES = 202;

const Plan = z.object({
  runnable: z.boolean(),
  issues: z.array(z.object({ detail: z.string() })),
  inForce: z.object({ plan: z.object({ durationSeconds: z.number(), settleSeconds: z.number() }) }),
});

/**
 * How long each of the analyses may take on a server, and what is wrong with them there.
 *
 * @throws TouchstoneError `server_unavailable` when the server cannot be reached.
 */
export async function readPlans(
  live: Live,
  names: readonly string[],
): Promise<{ readonly seconds: ReadonlyMap<string, number>; readonly traps: Trap[] }> {
  const seconds = new Map<string, number>();
  const traps: Trap[] = [];
  for (const name of names) {
    const answer = await ask(live, "GET", `/v1/analyses/${encodeURIComponent(name)}`);
    if (answer.status === 404) {
      traps.push(trap(answer, "unknown-analysis", `the server has no analysis ${name}`));
      continue;
    }
    const parsed = Plan.safeParse(readObject(answer, traps));
    if (!parsed.success) continue;
    const { runnable, issues, inForce } = parsed.data;
    seconds.set(name, inForce.plan.durationSeconds + inForce.plan.settleSeconds);
    if (!runnable)
      traps.push(
        trap(answer, "not-runnable", `${name} cannot run there: ${issues.map(({ detail }) => detail).join("; ")}`),
      );
  }
  return { seconds, traps };
}

const Summary = z.looseObject({ summary: z.string() });

/** Asks as Argo's web provider does, about an analysis that is not there. */
export async function probeArgoWeb(live: Live): Promise<Trap[]> {
  const traps: Trap[] = [];
  const answer = await ask(live, "POST", "/v1/argo/verdict", {
    mode: "step",
    analysis: NOBODY,
    service: NOBODY,
    namespace: NOBODY,
    baseline: "a",
    candidate: "b",
    revision: "1",
    step: "0",
  });
  const body = readObject(answer, traps);
  if (traps.length > 0) return traps;
  const parsed = Summary.safeParse(body);
  if (!parsed.success) return [trap(answer, "no-summary", "the answer has no summary, which {$.summary} looks for")];
  if (!parsed.data.summary.startsWith("error"))
    return [trap(answer, "answers-unknown", `an analysis that is not there is answered with "${parsed.data.summary}"`)];
  return [];
}

/** Asks as Argo's Kayenta provider does for the configuration that a template names. */
export async function probeKayenta(live: Live, analyses: readonly string[]): Promise<Trap[]> {
  const basic = live.token === null ? null : Buffer.from(`argo:${live.token}`).toString("base64");
  const answer = await ask(
    live,
    "GET",
    `/kayenta/canaryConfig?application=${NOBODY}&configurationAccountName=default`,
    undefined,
    basic === null ? null : `Basic ${basic}`,
  );
  const traps: Trap[] = [];
  refuseTransport(answer, traps);
  if (traps.length > 0) return traps;
  if (answer.status !== 200)
    return [trap(answer, "kayenta-status", `answers ${answer.status}, and Argo takes nothing but 200 here`)];
  const listed = z.array(z.looseObject({ name: z.string() })).safeParse(toJson(answer.text));
  if (!listed.success) return [trap(answer, "not-a-list", "Argo wants a list of configurations")];
  const names = new Set(listed.data.map(({ name }) => name));
  return analyses
    .filter((name) => !names.has(name))
    .map((name) => trap(answer, "unknown-analysis", `the server lists no configuration ${name}`));
}

/** Asks as Flagger's hooks do, about a canary that is not there: every one of them must say no. */
export async function probeFlaggerHooks(live: Live): Promise<Trap[]> {
  const traps: Trap[] = [];
  for (const role of ["rollback", "advance", "promote"]) {
    const answer = await ask(live, "POST", `/v1/flagger/${role}`, {
      name: NOBODY,
      namespace: NOBODY,
      phase: "Progressing",
      checksum: "0",
      metadata: { analysis: NOBODY },
    });
    if (answer.status <= LAST_YES)
      traps.push(
        trap(
          answer,
          "yes-to-unknown",
          role === "rollback"
            ? `answers ${answer.status} for a canary that is not there: Flagger would roll back at once`
            : `answers ${answer.status} for a canary that is not there: it would let everything through`,
        ),
      );
    else refuseTransport(answer, traps);
  }
  return traps;
}

const Vector = z.looseObject({
  data: z.looseObject({ result: z.array(z.looseObject({ value: z.tuple([z.number(), z.string()]) })) }),
});

/** Asks as Flagger's Prometheus provider does before it takes a canary up. */
export async function probeFlaggerMetric(live: Live): Promise<Trap[]> {
  const traps: Trap[] = [];
  const answer = await ask(live, "GET", `/flagger/api/v1/query?query=${encodeURIComponent("vector(1)")}`);
  const body = readObject(answer, traps);
  if (traps.length > 0) return traps;
  const parsed = Vector.safeParse(body);
  if (parsed.success && parsed.data.data.result.at(-1)?.value[1] === "1") return [];
  return [trap(answer, "not-online", "Flagger asks for vector(1) and wants 1")];
}

async function ask(
  { url, token }: Live,
  method: string,
  path: string,
  body?: unknown,
  authorization = token === null ? null : `Bearer ${token}`,
): Promise<Answer> {
  const asked = `${method} ${path.replace(/\?.*$/, "")}`;
  try {
    const response = await fetch(new URL(url.replace(/\/+$/, "") + path), {
      method,
      redirect: "manual",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(authorization === null ? {} : { authorization }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const contentType = response.headers.get("content-type") ?? "";
    return { asked, status: response.status, contentType, text: await response.text() };
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new TouchstoneError("server_unavailable", `${url} cannot be reached: ${reason}`, { cause });
  }
}

/** A 2xx with a JSON object, or a trap that says what came in its place. */
function readObject(answer: Answer, traps: Trap[]): unknown {
  refuseTransport(answer, traps);
  if (traps.length > 0) return null;
  const { status, text } = answer;
  const fault = (code: TrapCode, detail: string): null => {
    traps.push(trap(answer, code, detail));
    return null;
  };
  if (status < 200 || status > 299) return fault("refused", `answers ${status}: ${text.slice(0, 200)}`);
  if (status === 204 || text.trim() === "")
    return fault(
      "empty",
      `answers ${status} with nothing: Argo's web provider takes that for success, Flagger for a failure`,
    );
  const value = toJson(text);
  if (value === undefined)
    return fault(
      "not-json",
      `answers ${status} with ${answer.contentType || "something"} that is not JSON, as a login page before Touchstone would: Argo's web provider takes that for success`,
    );
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return fault("not-an-object", "answers with JSON that is no object; null crashes Argo's controller");
  return value;
}

function refuseTransport(answer: Answer, traps: Trap[]): void {
  const { status } = answer;
  if (status >= 300 && status < 400)
    traps.push(
      trap(
        answer,
        "redirect",
        `answers ${status}: Go turns a redirected POST into a GET without its body; give the address it leads to`,
      ),
    );
  else if (status === 401)
    traps.push(
      trap(answer, "unauthorized", "the token is not taken; set TOUCHSTONE_TOKEN to the one that the controller sends"),
    );
  else if (status === 404 || status === 405)
    traps.push(
      trap(
        answer,
        "no-route",
        `answers ${status}: this is no Touchstone that knows the route, or a proxy cuts the path`,
      ),
    );
  else if (status === 429 || status >= 500)
    traps.push(
      trap(
        answer,
        "server-error",
        `answers ${status}, of which Flagger shows no reason and at which Argo only retries`,
      ),
    );
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON can be undefined.
    return undefined;
  }
}

function trap({ asked }: Answer, code: TrapCode, text: string): Trap {
  return { code, where: asked, pointer: "", text };
}
