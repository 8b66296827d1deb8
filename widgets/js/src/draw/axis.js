// The line from 0 to 1 on which the uniform accepts or rejects, and the one on which the last token is drawn.
import { html } from "./html.js";
import { Rich } from "./rich.js";
import { MARKS } from "./token.js";

/** @param {number} share */
const at = (share) => `left:${Math.min(100, Math.max(0, share * 100))}%`;

/** A number under or above its place on the line. @param {{ share: number, text: string, kind: string }} props */
const Label = ({ share, text, kind }) => html`<span class=${`dl-axis-label dl-axis-${kind} ${share > 0.8 ? "dl-axis-left" : share < 0.2 ? "dl-axis-right" : ""}`} style=${at(share)}><${Rich} text=${text} /></span>`;

/**
 * @param {{ label: string, limit: number, limitText: string, u: number, uText: string, counts: boolean }} props
 * ``counts`` is false where the comparison is made but decides nothing
 */
export function AcceptAxis({ label, limit, limitText, u, uText, counts }) {
  return html`<div class=${`dl-axis ${counts ? "" : "dl-axis-idle"}`} role="img" aria-label=${label}>
    <span class="dl-axis-row"><${Label} share=${u} text=${uText} kind="u" /></span>
    <span class="dl-axis-track">
      ${limit > 0 && html`<span class="dl-axis-yes" style=${`width:${limit * 100}%`}>${limit > 0.06 && MARKS.accepted}</span>`}
      ${limit < 1 && html`<span class="dl-axis-no" style=${`left:${limit * 100}%;right:0`}>${limit < 0.94 && MARKS.rejected}</span>`}
      <span class="dl-axis-tick" style=${at(u)}></span>
    </span>
    <span class="dl-axis-row"><${Label} share=${limit} text=${limitText} kind="limit" /></span>
  </div>`;
}

/** @param {{ label: string, cdf: [number, number], u: number, uText: string, shareText: string, look: string }} props */
export function DrawAxis({ label, cdf, u, uText, shareText, look }) {
  const width = Math.max(0.8, (cdf[1] - cdf[0]) * 100);
  return html`<div class="dl-axis" role="img" aria-label=${label}>
    <span class="dl-axis-row"><${Label} share=${u} text=${uText} kind="u" /></span>
    <span class="dl-axis-track dl-axis-plain"><span class=${`dl-axis-share dl-look-${look}`} style=${`left:${cdf[0] * 100}%;width:${width}%`}></span><span class="dl-axis-tick" style=${at(u)}></span></span>
    <span class="dl-axis-row"><${Label} share=${(cdf[0] + cdf[1]) / 2} text=${shareText} kind="limit" /></span>
  </div>`;
}
