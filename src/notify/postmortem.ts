import { canonicalJson } from "../model/canonical.ts";
import type { EvidencePack, PostMortem, RunEvent } from "../model/event.ts";
import { postJson, type Reach } from "./json-post.ts";
import { signedHeaders } from "./signature.ts";
import { NotDelivered, type Send } from "./target.ts";

/** What is known of a run; null when it is no longer kept. */
export type ReadPack = (run: string) => Promise<EvidencePack | null>;

export interface PostMortemOptions extends Reach {
  readonly url: string;
  readonly keys: () => Promise<readonly Buffer[]>;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  readonly bound: PostMortem["bound"];
  readonly readPack: ReadPack;
}

/** A post-mortem as a Standard Webhook: the event, what it exceeded, and the evidence. Its id is the event's, with `_postmortem`. */
export const createPostMortem =
  ({ url, keys, headers, bound, readPack, ...reach }: PostMortemOptions): Send =>
  async (event, _body, signal) => {
    const pack = await readPack(event.data.run);
    if (pack === null) throw new NotDelivered(`run ${event.data.run} is no longer kept`, { final: true });
    const postMortem = toPostMortem(event, bound, pack);
    const body = canonicalJson(postMortem);
    const signed = signedHeaders(await keys(), postMortem.id, reach.now(), body);
    await postJson(reach, { url, headers: { ...(await headers()), ...signed }, body }, signal);
  };

export function toPostMortem(event: RunEvent, bound: PostMortem["bound"], pack: EvidencePack): PostMortem {
  const { id, timestamp, data } = event;
  return { id: `${id}_postmortem`, type: "run.postmortem", timestamp, data, bound, pack };
}
