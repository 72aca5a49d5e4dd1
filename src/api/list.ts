import type { Request, Response } from "express";

/** The project of every run until projects exist; the column is there from the first day. */
export const PROJECT = "default";

/** A page of a list, with the next one linked as RFC 8288 has it. */
export function sendList(
  request: Request,
  response: Response,
  list: object & { readonly items: readonly unknown[]; readonly nextCursor: string | null },
): void {
  if (list.nextCursor !== null) {
    const next = new URL(request.originalUrl, "http://localhost");
    next.searchParams.set("cursor", list.nextCursor);
    response.links({ next: `${next.pathname}${next.search}` });
  }
  response.json(list);
}
