// Two quantities token by token: bars above each other, what they share shaded, and a third column beside them.
import { useRef } from "preact/hooks";
import { prob, showToken } from "../logic/format.js";
import { S } from "../strings.js";
import { html } from "./html.js";
import { Rich } from "./rich.js";
import { Save } from "./save.js";

/** @typedef {import("../logic/heads.js").Amount} Amount */
/** @typedef {import("../contract").Token} Token */
/** @typedef {{ token: Token | null, a: Amount | null, b: Amount | null, c?: Amount | null, note?: string }} Row */
/** @typedef {{ look: string, head: string }} Side how its bars look (target, draft, base, seen, residual), what stands above its numbers */

/** @param {Amount | null | undefined} x */
export const written = (x) => (!x ? "–" : x.exact || x.value < 0.0005 ? prob(x.value) : S.below(prob(x.value)));
/** @param {Amount | null | undefined} x */
const size = (x) => (x?.exact ? x.value : 0);

/**
 * ``c`` with the look "none" has numbers alone. ``shared`` shades min(a, b); ``over`` rings what a has above b. Rows without a token stand for all others.
 * As a picture it is called ``label``, ``note`` says of what, and ``file`` is the file's name.
 * @param {{ label: string, file: string, note: string, rows: Row[], a: Side, b: Side, c?: Side, marked?: number, shared?: boolean, over?: boolean, legend: [string, string][], heads?: boolean }} props
 */
export function Pairs({ label, file, note, rows, a, b, c, marked, shared, over, legend, heads = true }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const most = Math.max(...rows.map((r) => Math.max(size(r.a), size(r.b))), 1e-9);
  const mostC = Math.max(...rows.map((r) => size(r.c)), 1e-9);
  const width = (/** @type {number} */ value, /** @type {number} */ full) => `${(100 * value) / full}%`;
  const says = (/** @type {Row} */ r) => `${r.token ? showToken(r.token.text) : S.others}: ${a.head} ${written(r.a)}, ${b.head} ${written(r.b)}${c ? `, ${c.head} ${r.note ?? written(r.c)}` : ""}`;
  return html`<figure ref=${box} class=${`dl-chart ${c ? (c.look === "none" ? "dl-chart-count" : "dl-chart-three") : ""}`}>
    ${heads && html`<p class="dl-charthead" aria-hidden="true"><span></span><span></span><span class=${`dl-num dl-c-${a.look}`}><${Rich} text=${a.head} /></span><span class=${`dl-num dl-c-${b.look}`}><${Rich} text=${b.head} /></span>
      ${c && html`${c.look !== "none" && html`<span></span>`}<span class=${`dl-num dl-c-${c.look}`}><${Rich} text=${c.head} /></span>`}</p>`}
    <ul aria-label=${label}>${rows.map((r) => {
      const [va, vb] = [size(r.a), size(r.b)];
      return html`<li key=${r.token?.id ?? "others"} class=${r.token && r.token.id === marked ? "dl-marked" : ""} aria-label=${says(r)}>
        ${r.token ? html`<span class="dl-tok">${r.token.id === marked && "▸ "}${showToken(r.token.text)}</span>` : html`<span class="dl-others">${S.others}</span>`}
        <span class="dl-track" aria-hidden="true">
          ${shared && html`<span class="dl-shared" style=${`width:${width(Math.min(va, vb), most)}`}></span>`}
          ${va > 0 && html`<span class=${`dl-upper dl-look-${a.look}`} style=${`width:${width(va, most)}`}></span>`}
          ${over && r.b?.exact && va > vb && html`<span class="dl-rest" style=${`left:${width(vb, most)};width:${width(va - vb, most)}`}></span>`}
          ${(vb > 0 || (r.b?.exact && r.token)) && html`<span class=${`dl-lower dl-look-${b.look}`} style=${`width:${width(vb, most)}`}></span>`}
        </span>
        <span class=${`dl-num dl-c-${a.look}`}>${written(r.a)}</span><span class=${`dl-num dl-c-${b.look}`}>${written(r.b)}</span>
        ${c && html`${c.look !== "none" && html`<span class="dl-track dl-track-c" aria-hidden="true">${size(r.c) > 0 && html`<span class=${`dl-middle dl-look-${c.look}`} style=${`width:${width(size(r.c), mostC)}`}></span>`}</span>`}
          <span class=${`dl-num dl-c-${c.look}`}>${r.note ?? written(r.c)}</span>`}
      </li>`;
    })}</ul>
    <figcaption class="dl-legend">${legend.map(([key, text]) => html`<span><i class=${`dl-key dl-key-${key}`}></i><${Rich} text=${text} /></span>`)}<${Save} picture=${() => box.current} name=${file} title=${label} note=${note} /></figcaption>
  </figure>`;
}
