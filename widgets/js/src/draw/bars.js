// Distributions: the top tokens with bars, the line of cumulative probabilities with its draw, the acceptance gauge.
import { prob, showToken } from "../logic/format.js";
import { html } from "./html.js";

/** @typedef {import("../contract").Choice} Choice */
/** @typedef {import("../contract").Token} Token */

/** The first n tokens, and the marked one even where it is not among them. @param {Choice[]} head @param {number} n @param {Choice} [mark] */
export function withMark(head, n, mark) {
  const top = head.slice(0, n);
  if (!mark || top.some((c) => c.token.id === mark.token.id)) return top;
  return [...top.slice(0, n - 1), mark];
}

/**
 * Top tokens, one a line, the bar behind it. ``kind`` is draft (hollow), target (solid), base, residual or bonus.
 * @param {{ head: Choice[], kind: string, mark?: Choice, n?: number }} props
 */
export function TopList({ head, kind, mark, n = 3 }) {
  return html`<ol class=${`dl-top dl-top-${kind}`}>
    ${withMark(head, n, mark).map((c) => {
      const marked = mark?.token.id === c.token.id;
      return html`<li class=${marked ? "dl-marked" : ""}>
        <span class="dl-track-bar"><span class="dl-bar" style=${`width:${Math.min(100, c.value * 100)}%`}></span></span>
        <span class="dl-tok">${showToken(c.token.text)}</span><span class="dl-num">${prob(c.value)}</span>
      </li>`;
    })}
  </ol>`;
}

/** The line from 0 to 1 with a token's share and where u fell. @param {{ cdf: [number, number], u: number, kind: string }} props */
export function CdfStrip({ cdf, u, kind }) {
  const width = Math.max(1.5, (cdf[1] - cdf[0]) * 100);
  return html`<span class=${`dl-cdf dl-cdf-${kind}`} aria-hidden="true">
    <span class="dl-share" style=${`left:${cdf[0] * 100}%;width:${width}%`}></span>
    <span class="dl-tick" style=${`left:${u * 100}%`}></span>
  </span>`;
}

/** The line from 0 to 1: what u accepts, and u. @param {{ limit: number, u: number }} props */
export function Gauge({ limit, u }) {
  return html`<span class="dl-cdf dl-gauge" aria-hidden="true">
    <span class="dl-share" style=${`left:0;width:${Math.min(1, limit) * 100}%`}></span>
    <span class="dl-tick" style=${`left:${u * 100}%`}></span>
  </span>`;
}

/**
 * Value of each token in both heads; a token outside a head is only known to be at most its smallest value.
 * The position's own token is known exactly, wherever it ranks.
 * @param {Choice[]} target @param {Choice[]} draft @param {{ token: Token, t: number | null, d: number }} [own] @param {number} [n]
 */
export function compare(target, draft, own, n = 7) {
  /** @type {Map<number, Token>} */
  const tokens = new Map();
  for (const c of [...(own ? [own] : []), ...target, ...draft]) tokens.set(c.token.id, c.token);
  /** @param {Choice[]} head @param {number} id */
  const find = (head, id) => {
    const hit = head.find((c) => c.token.id === id);
    const rest = 1 - head.reduce((sum, c) => sum + c.value, 0);
    const least = Math.max(0, Math.min(head.length ? head[head.length - 1].value : 1, rest));
    return hit ? { value: hit.value, exact: true } : { value: least, exact: least < 1e-12 };
  };
  const exactly = (/** @type {number | null | undefined} */ value, /** @type {{ value: number, exact: boolean }} */ found) =>
    value === null || value === undefined ? found : { value, exact: true };
  const rows = [...tokens.values()].map((token) => {
    const mine = own?.token.id === token.id ? own : undefined;
    return { token, t: exactly(mine?.t, find(target, token.id)), d: exactly(mine?.d, find(draft, token.id)) };
  });
  rows.sort((a, b) => Math.max(b.t.exact ? b.t.value : 0, b.d.exact ? b.d.value : 0) - Math.max(a.t.exact ? a.t.value : 0, a.d.exact ? a.d.value : 0));
  const top = rows.slice(0, n);
  const mine = rows.find((row) => row.token.id === own?.token.id);
  if (mine && !top.includes(mine)) top[top.length - 1] = mine;
  return top;
}
