import type { RunListItem } from "../model/run.ts";
import type { Client } from "./client.ts";

const PAGE = 100;
const PAGE_TIMEOUT_MS = 120_000;

/** Ids of decided runs, the newest first, page by page. @throws TouchstoneError as the client. */
export async function* decidedRuns(
  client: Client,
  { analysis, limit }: { readonly analysis?: string; readonly limit: number },
): AsyncGenerator<string> {
  let cursor: string | null = null;
  let count = 0;
  do {
    const parameters: Record<string, string> = {
      status: "done",
      limit: String(PAGE),
      ...(analysis === undefined ? {} : { analysis }),
      ...(cursor === null ? {} : { cursor }),
    };
    const page: { items: RunListItem[]; nextCursor: string | null } = await client.listRuns(
      parameters,
      AbortSignal.timeout(PAGE_TIMEOUT_MS),
    );
    for (const { id } of page.items) {
      if ((count += 1) > limit) return;
      yield id;
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
}
