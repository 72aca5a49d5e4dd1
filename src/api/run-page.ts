import { Router } from "express";
import { escapeHtml, HTML_STYLE_HASH, page } from "../report/html.ts";
import type { Store } from "../store/store.ts";
import { PROJECT } from "./list.ts";
import { PageQuery, readQuery, toPage } from "./parameters.ts";
import { toRunListItem } from "./run-view.ts";
import { candidateLabel } from "../report/parts.ts";

/** A plain list of the newest runs with their reports. */
export function createRunPage(store: Store): Router {
  const router = Router();
  router.get("/", async (request, response) => {
    const { items, nextCursor } = await store.listRuns(PROJECT, {}, toPage(readQuery(PageQuery, request)));
    const rows = items.map(toRunListItem).map((item) => {
      const { id, verdict, status, summary, analysis, baseline, createdAt, links } = item;
      const word = verdict ?? status;
      const text = escapeHtml(summary ?? status);
      return `<tr><td class="${word}-word">${word}</td><td>${verdict === null ? text : `<a href="${links.report}">${text}</a>`}</td><td><code>${escapeHtml(candidateLabel(item))}</code> against <code>${escapeHtml(baseline.label)}</code></td>
<td>${escapeHtml(analysis.name)}</td><td>${createdAt}</td><td><a href="${links.self}"><code>${id}</code></a></td></tr>`;
    });
    const empty =
      "<p>No runs yet. Post one to <code>/v1/runs</code>, or start with <code>npm start</code> for an example.</p>";
    const table = `<table><thead><tr><th>verdict</th><th>summary</th><th>versions</th><th>analysis</th><th>started</th><th>run</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
    const next = nextCursor === null ? "" : `<a href="/?cursor=${encodeURIComponent(nextCursor)}">older</a>`;
    response
      .setHeader(
        "content-security-policy",
        `default-src 'none'; style-src '${HTML_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      )
      .type("text/html")
      .send(
        page(
          "Touchstone: runs",
          `<h1>Runs</h1>\n${rows.length === 0 ? empty : table}\n<nav>${next}<a href="/openapi.yaml">the API</a><a href="/metrics">metrics</a></nav>`,
        ),
      );
  });
  return router;
}
