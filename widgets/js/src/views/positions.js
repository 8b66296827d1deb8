// A round's positions in a row: the one that the views below are about can be chosen here too.
import { useRef } from "preact/hooks";
import { html } from "../draw/html.js";
import { reveal, useBeforePaint } from "../draw/reveal.js";
import { Chip, MARKS } from "../draw/token.js";
import { showToken } from "../logic/format.js";
import { drafts } from "../logic/tree.js";
import { S } from "../strings.js";
import { chipKind } from "./cells.js";

/** @param {{ spot: import("./place.js").Spot, row: string }} props ``row`` of the table is what the view is about */
export function Positions({ spot, row }) {
  const { round, now, place } = spot;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useBeforePaint(() => reveal(list.current, list.current?.querySelector("[aria-current]")), [place.k]);
  const drawn = (now.final || now.commit) && round.final.token;
  const look = drafts(round) ? round.final.kind : "plain";
  /** @param {number} k @param {string} id @param {any} content @param {string} name */
  const button = (k, id, content, name) => html`<button key=${id} class="dl-pos" data-testid=${`pos-${id}`} aria-current=${place.k === k ? "true" : undefined}
    aria-label=${name} title=${name} onClick=${() => spot.select(k, row)}>${content}</button>`;
  return html`<div class="dl-positions" role="group" aria-label=${S.positions} ref=${list}>
    ${round.positions.map((p) => {
      const kind = chipKind(p, now);
      const drafted = p.k <= now.draft;
      const name = `${S.position(p.k)}${drafted ? `: ${showToken(p.token.text)}` : ""}${kind === "draft" ? "" : `, ${S.verdicts[/** @type {keyof typeof S.verdicts} */ (kind)]}`}`;
      return button(p.k, String(p.k), html`<span class="dl-note">${p.k}</span> ${drafted ? html`<${Chip} token=${p.token} kind=${kind} />` : html`<span class="dl-mask"></span>`} ${kind !== "draft" && html`<b class=${`dl-is-${kind}`} aria-hidden="true">${MARKS[kind]}</b>`}`, name);
    })}
    ${drawn && button(round.gamma + 1, "final", html`<span class="dl-note">${S.finalPlain}</span> <${Chip} token=${round.final.token} kind=${look} /> <b class=${`dl-is-${look}`} aria-hidden="true">${MARKS[look]}</b>`,
      `${S.finalPlain} ${showToken(round.final.token?.text ?? "")}, ${S.final[/** @type {keyof typeof S.final} */ (look)]}`)}
  </div>`;
}
